;;; zester-mode.el --- Zester state and settings files  -*- lexical-binding: t; -*-

;; Package-Requires: ((emacs "29.1"))

;;; Commentary:

;; Put this file on `load-path' and (require 'zester-mode). Files named .zy get the mode, and Eglot, which comes with
;; Emacs, starts `zester lsp' for them.

;;; Code:

(require 'eglot)

(defgroup zester nil "Zester state and settings files." :group 'languages)

(defcustom zester-program "zester" "The program `zester'." :type 'string)

(defcustom zester-peel nil "The peel whose values are shown, by its id."
  :type '(choice (const :tag "None" nil) string))

(defvar zester-font-lock
  `(("{#\\(?:.\\|\n\\)*?#}" 0 font-lock-comment-face t)
    ("{%[-+]?\\s-*\\([a-z_]+\\)" 1 font-lock-keyword-face t)
    ("{{[-+]?\\|[-+]?}}\\|{%[-+]?\\|[-+]?%}" 0 font-lock-preprocessor-face t)
    ("^\\(include\\|extend\\|exclude\\):" 1 font-lock-keyword-face)
    ("^\\s-*-?\\s-*\\(\\(?:require\\|watch\\|onchanges\\|onfail\\|prereq\\|listen\\|use\\)\\(?:_in\\|_any\\|_all\\)?\\):" 1 font-lock-keyword-face)
    ("^\\s-+\\([a-z_]+\\.[a-z_]+\\):" 1 font-lock-function-name-face)
    ("^\\([^ \t\n#{-][^\n#{]*?\\):\\(?:\\s-\\|$\\)" 1 font-lock-type-face)
    ("^\\s-*\\(?:- \\)?\\([A-Za-z_][A-Za-z0-9_]*\\):" 1 font-lock-variable-name-face))
  "Colours of `zester-mode'; the server's tokens say more where the client shows them.")

;;;###autoload
(define-derived-mode zester-mode prog-mode "Zester"
  "Mode for Zester's files."
  (setq-local comment-start "# " comment-start-skip "#+\\s-*" indent-tabs-mode nil tab-width 2)
  (setq-local font-lock-defaults '(zester-font-lock))
  (modify-syntax-entry ?# "<" zester-mode-syntax-table)
  (modify-syntax-entry ?\n ">" zester-mode-syntax-table)
  (modify-syntax-entry ?\' "\"" zester-mode-syntax-table))

;;;###autoload
(add-to-list 'auto-mode-alist '("\\.zy\\'" . zester-mode))

(add-to-list 'eglot-server-programs
             `(zester-mode . ,(lambda (&rest _)
                                (list zester-program "lsp"
                                      :initializationOptions (if zester-peel (list :peel zester-peel) '())))))

(add-hook 'zester-mode-hook #'eglot-ensure)

(provide 'zester-mode)
;;; zester-mode.el ends here
