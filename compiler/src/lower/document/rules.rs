//! The rules of shape that state files can break.

use crate::rule;

rule! {
    /// `include` or `exclude` is not a list of refs.
    ///
    /// What cannot be read as a ref would be left out, or taken for the wrong file.
    ///
    /// ```yaml
    /// include:
    ///   - env: [a, b]
    /// ```
    ///
    /// Write one ref per item; `env: ref` takes it from another environment:
    ///
    /// ```yaml
    /// include:
    ///   - common
    ///   - dev: web.users
    /// ```
    pub MALFORMED_INCLUDE = "Z0107", "malformed-include", Error;

    /// A state, or a function's list of parameters, does not have the shape of one.
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed: nginx
    /// ```
    ///
    /// An id holds functions, a function holds a list of parameters:
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed:
    ///     - name: nginx
    /// ```
    pub MALFORMED_STATE = "Z0218", "malformed-state", Error;

    /// An id has no function.
    ///
    /// There is nothing to do, so something has been forgotten, or stands in the wrong column.
    ///
    /// ```yaml
    /// nginx:
    /// ```
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.installed: []
    /// ```
    pub MISSING_FUNCTION = "Z0219", "missing-function", Error;

    /// The keys of a `context`, `defaults` or `kwarg` stand in the same column as the word itself.
    ///
    /// They are taken as its value, as they are meant. In YAML they are parameters of the state, and other tools
    /// read them so.
    ///
    /// ```yaml
    /// /etc/app.conf:
    ///   file.managed:
    ///     - context:
    ///       port: 80
    /// ```
    ///
    /// Indent them by two more:
    ///
    /// ```yaml
    /// /etc/app.conf:
    ///   file.managed:
    ///     - context:
    ///         port: 80
    /// ```
    pub MISINDENTED_ARGUMENT = "Z0220", "misindented-argument", Warning;

    /// A parameter is given twice.
    ///
    /// Only one of the two values could be used; which one differs between tools.
    ///
    /// ```yaml
    /// nginx:
    ///   service.running:
    ///     - require:
    ///       - pkg: nginx
    ///     - require:
    ///       - file: /etc/nginx/nginx.conf
    /// ```
    ///
    /// Write it once; a requisite takes a list:
    ///
    /// ```yaml
    /// nginx:
    ///   service.running:
    ///     - require:
    ///       - pkg: nginx
    ///       - file: /etc/nginx/nginx.conf
    /// ```
    pub DUPLICATE_PARAMETER = "Z0207", "duplicate-parameter", Error;

    /// A requisite is not a list of references to states.
    ///
    /// ```yaml
    /// nginx:
    ///   service.running:
    ///     - require: true
    /// ```
    ///
    /// Each item names a module and an id, or an id alone:
    ///
    /// ```yaml
    /// nginx:
    ///   service.running:
    ///     - require:
    ///       - pkg: nginx
    /// ```
    pub MALFORMED_REQUISITE = "Z0302", "malformed-requisite", Error;
}
