#lang racket/base
;; SPDX-License-Identifier: MIT
;; Ten threads of the runtime with an echo connection each: racket echo.rkt HOST PORT
(require racket/tcp)
(define args (current-command-line-arguments))
(define (one n)
  (define-values (in out) (tcp-connect (vector-ref args 0) (string->number (vector-ref args 1))))
  (for ([i 150])
    (define line (format "~a ~a ~a" n i (make-string 2000 #\x)))
    (write-string line out)
    (newline out)
    (flush-output out)
    (unless (equal? (read-line in) line) (exit 1))
    (sleep 0.015))
  (close-output-port out)
  (unless (eof-object? (read-line in)) (exit 1)))
(for-each thread-wait (for/list ([n 10]) (thread (lambda () (one n)))))
(displayln "10 threads")
