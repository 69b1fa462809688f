//! A real editor: Emacs without a screen, with eglot 1.9 (Debian's package for Emacs 28), attaches to `imm lsp`.

use crate::harness::editor::expect_said;
use std::process::Command;

const SCRIPT: &str = r#"
(require 'eglot)
(setq eglot-sync-connect t eglot-connect-timeout 60 make-backup-files nil eglot-confirm-server-initiated-edits nil)
(define-derived-mode imm-mode prog-mode "imm" (setq-local comment-start "// "))
(add-to-list 'auto-mode-alist '("\\.imm\\'" . imm-mode))
(add-to-list 'eglot-server-programs `(imm-mode . (,(getenv "IMM") "lsp")))
(defun say (&rest words) (princ (concat (apply #'format words) "\n")))
(defun await (what holds)
  (with-timeout (60 (say "no %s" what) (kill-emacs 1))
    (while (not (funcall holds)) (accept-process-output nil 0.05))))
; Without a screen nothing is idle: changes are sent at once.
(defun problems ()
  (eglot--signal-textDocument/didChange)
  (flymake-start)
  (mapcar (lambda (d) (list (flymake-diagnostic-text d) (line-number-at-pos (flymake-diagnostic-beg d)))) (flymake-diagnostics)))
(defun line (number text)
  (goto-char (point-min)) (forward-line (1- number))
  (delete-region (line-beginning-position) (line-end-position)) (insert text))
(find-file "main.imm")
(call-interactively #'eglot)
(await "diagnostics" #'problems)
(say "diagnostic: %S" (car (problems)))
(line 2 "  si")
(say "completion: %s" (car (all-completions "si" (nth 2 (eglot-completion-at-point)))))
(line 2 "  size = 1GiB")
(await "peace" (lambda () (null (problems))))
(goto-char (point-min)) (search-forward "data")
(eglot-rename "storage")
(say "renamed: %S" (and (string-match-p "durable storage = volume" (buffer-string)) (string-match-p "storage.path" (buffer-string)) t))
(line 2 "      size=1GiB")
(eglot-format-buffer)
(goto-char (point-min)) (forward-line 1)
(say "formatted: %s" (buffer-substring (line-beginning-position) (line-end-position)))
(set-buffer-modified-p nil)
(eglot-shutdown (eglot-current-server))
(kill-emacs 0)
"#;

/// Where Debian's packages of Emacs are found.
const PACKAGES: &str = "/usr/share/emacs/site-lisp/debian-startup.el";

#[test]
fn emacs_shows_completes_renames_and_formats() {
    let emacs = |args: &[&str]| {
        let mut command = Command::new("emacs");
        command.args(["--batch", "-l", PACKAGES, "-f", "package-initialize"]).args(args);
        command
    };
    let there = emacs(&["--eval", "(require 'eglot)"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no Emacs with eglot (packages emacs-nox and elpa-eglot)");
        return;
    }
    let lines = ["[unknown-field]", "completion: size", "renamed: t", "formatted:   size = 1GiB"];
    expect_said(&mut emacs(&["-l", "script.el"]), ("script.el", SCRIPT), &lines);
}
