;; SPDX-License-Identifier: MIT
;; Lines to an echo server and back by SBCL: sbcl --script echo.lisp HOST PORT
(require :sb-bsd-sockets)
(let* ((args (cdr sb-ext:*posix-argv*))
       (s (make-instance 'sb-bsd-sockets:inet-socket :type :stream :protocol :tcp)))
  (sb-bsd-sockets:socket-connect s (sb-bsd-sockets:make-inet-address (first args)) (parse-integer (second args)))
  (let ((st (sb-bsd-sockets:socket-make-stream s :input t :output t :buffering :full :external-format :latin-1)))
    (loop for i from 1 to 300
          for line = (format nil "~a~a" i (make-string 1000 :initial-element #\x))
          do (write-line line st)
             (finish-output st)
             (unless (string= (read-line st) line) (sb-ext:exit :code 1))
             (sleep 0.01)))
  (write-line "300 lines"))
