//! The rules that values can break.

use crate::rule;

rule! {
    /// A value has another type than its parameter.
    ///
    /// The state could not run: a map where text is wanted, a word where a number is.
    ///
    /// ```yaml
    /// nginx:
    ///   service.running:
    ///     - enable: sometimes
    /// ```
    ///
    /// `zester doc service.running` tells the type of each parameter:
    ///
    /// ```yaml
    /// nginx:
    ///   service.running:
    ///     - enable: true
    /// ```
    pub WRONG_TYPE = "Z0204", "wrong-type", Error;

    /// A number lies outside the range that its parameter accepts.
    ///
    /// ```yaml
    /// /etc/motd:
    ///   file.managed:
    ///     - contents: hello
    ///     - mode: "17777"
    /// ```
    ///
    /// Hours are 0 to 23, ports 1 to 65535, modes have four octal digits:
    ///
    /// ```yaml
    /// /etc/motd:
    ///   file.managed:
    ///     - contents: hello
    ///     - mode: "0644"
    /// ```
    pub OUT_OF_RANGE = "Z0208", "out-of-range", Error;

    /// A word is none of those that its parameter accepts.
    ///
    /// ```yaml
    /// /etc/hosts:
    ///   file.line:
    ///     - mode: ensured
    /// ```
    ///
    /// The message lists the words:
    ///
    /// ```yaml
    /// /etc/hosts:
    ///   file.line:
    ///     - mode: ensure
    /// ```
    pub UNKNOWN_VALUE = "Z0209", "unknown-value", Error;

    /// A value does not have the form that its type asks for: an address, a mode, a URL, a checksum, a duration.
    ///
    /// Tools fail on such a value on the machine, or do something else than meant.
    ///
    /// ```yaml
    /// migrate:
    ///   cmd.run:
    ///     - name: /usr/bin/migrate
    ///     - timeout: soon
    /// ```
    ///
    /// ```yaml
    /// migrate:
    ///   cmd.run:
    ///     - name: /usr/bin/migrate
    ///     - timeout: 5m
    /// ```
    pub MALFORMED_VALUE = "Z0213", "malformed-value", Error;

    /// A regular expression cannot be compiled.
    ///
    /// Expressions are Python's, as Salt's are. An unclosed group or a character that repeats nothing would fail on
    /// every peel.
    ///
    /// ```yaml
    /// /etc/ssh/sshd_config:
    ///   file.replace:
    ///     - pattern: "Match("
    ///     - repl: ""
    /// ```
    ///
    /// Put a backslash before a character that stands for itself:
    ///
    /// ```yaml
    /// /etc/ssh/sshd_config:
    ///   file.replace:
    ///     - pattern: "Match\\("
    ///     - repl: ""
    /// ```
    pub MALFORMED_REGEX = "Z0214", "malformed-regex", Error;

    /// A time zone is not one of the IANA database, or a locale is not named as locales are.
    ///
    /// ```yaml
    /// Europe/Belrin:
    ///   timezone.system: []
    /// ```
    ///
    /// ```yaml
    /// Europe/Berlin:
    ///   timezone.system: []
    /// ```
    pub UNKNOWN_ZONE = "Z0215", "unknown-zone", Error;

    /// A file mode is written as a bare decimal number.
    ///
    /// It is read as the octal digits it shows, as Salt reads it; other YAML tools read a decimal number, and
    /// `0644` without quotes is yet another one. Quotes say what is meant everywhere.
    ///
    /// ```yaml
    /// /etc/motd:
    ///   file.managed:
    ///     - mode: 644
    /// ```
    ///
    /// ```yaml
    /// /etc/motd:
    ///   file.managed:
    ///     - mode: "0644"
    /// ```
    pub AMBIGUOUS_MODE = "Z0216", "ambiguous-mode", Hint;

    /// A plain value reads differently in different YAML versions, and nothing here says which type is meant.
    ///
    /// `22:22` is text here and a number in base 60 in YAML 1.1; `010` loses its zero; `1.10` is the number 1.1.
    ///
    /// ```yaml
    /// /etc/app.conf:
    ///   file.managed:
    ///     - context:
    ///         ports: 22:22
    /// ```
    ///
    /// Quotes make it text everywhere:
    ///
    /// ```yaml
    /// /etc/app.conf:
    ///   file.managed:
    ///     - context:
    ///         ports: "22:22"
    /// ```
    pub AMBIGUOUS_VALUE = "Z0217", "ambiguous-value", Hint;
}
