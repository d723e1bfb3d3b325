;; SPDX-License-Identifier: MIT
;; Lines to an echo server and back by Guile's ports: echo.scm HOST PORT
(use-modules (ice-9 rdelim))
(let* ((args (cdr (command-line)))
       (s (socket PF_INET SOCK_STREAM 0)))
  (connect s AF_INET (inet-pton AF_INET (car args)) (string->number (cadr args)))
  (setvbuf s 'block)
  (do ((i 1 (1+ i))) ((> i 300))
    (let ((line (string-append (number->string i) (make-string 1000 #\x))))
      (write-line line s)
      (force-output s)
      (if (not (equal? (read-line s) line)) (begin (display i) (exit 1))))
    (usleep 10000))
  (display "300 lines\n"))
