//! Family Z08: what can be wrong with a custom module.

use crate::rule;

rule! {
    /// A custom module is not valid Starlark.
    ///
    /// None of its functions can be called.
    ///
    /// ```starlark
    /// def configured(name: str -> bool:
    ///     return True
    /// ```
    ///
    /// ```starlark
    /// def configured(name: str) -> bool:
    ///     return True
    /// ```
    pub MODULE_SYNTAX = "Z0801", "module-syntax", Error;

    /// The annotation of a parameter or of a result names no type.
    ///
    /// Types are `str`, `int`, `float`, `bool`, `None`, `list`, `list[T]`, `dict`, `dict[str, T]`, `secret` (text that is
    /// never shown), `typing.Any`, and several of them with `|`.
    ///
    /// ```starlark
    /// def configured(name: string):
    ///     return True
    /// ```
    ///
    /// ```starlark
    /// def configured(name: str):
    ///     return True
    /// ```
    pub UNKNOWN_MODULE_TYPE = "Z0802", "unknown-module-type", Error;

    /// A public function has a signature that a state file or a template cannot use.
    ///
    /// Arguments come by name, so there is no `*args`; a default is part of the signature, so it is a literal. A function
    /// whose name begins with `_` is private and may have any signature.
    ///
    /// ```starlark
    /// def configured(name: str, port: int = _default()):
    ///     return True
    /// ```
    ///
    /// ```starlark
    /// def configured(name: str, port: int = 80):
    ///     return True
    /// ```
    pub UNUSABLE_SIGNATURE = "Z0803", "unusable-signature", Error;

    /// The default of a parameter is not of the parameter's type.
    ///
    /// ```starlark
    /// def configured(name: str, port: int = "80"):
    ///     return True
    /// ```
    ///
    /// ```starlark
    /// def configured(name: str, port: int = 80):
    ///     return True
    /// ```
    pub WRONG_DEFAULT = "Z0804", "wrong-default", Error;

    /// A custom function has the name of a built-in one.
    ///
    /// Who reads a state that uses it expects the built-in one, and that is the one that is called.
    ///
    /// Give the function, or the module's file, another name.
    pub SHADOWS_BUILT_IN = "Z0805", "shadows-built-in", Warning;

    /// A custom module takes from another one what that does not have.
    ///
    /// Modules of one directory take functions and values from each other; names that begin with `_` stay private.
    ///
    /// ```starlark
    /// load("common.star", "rendered")
    /// ```
    ///
    /// Name a module that lies beside it, and something that it has.
    pub UNKNOWN_LOAD = "Z0806", "unknown-load", Error;

    /// A custom module uses a name that nothing gives.
    ///
    /// The call would fail when it comes to that place.
    ///
    /// ```starlark
    /// def configured(name: str) -> dict:
    ///     text = file_raed(name)
    ///     return {"changes": {}}
    /// ```
    ///
    /// ```starlark
    /// def configured(name: str) -> dict:
    ///     text = file_read(name)
    ///     return {"changes": {}}
    /// ```
    pub UNKNOWN_NAME = "Z0807", "unknown-module-name", Error;

    /// A call inside of a custom module does not fit the function that it names.
    ///
    /// The call would fail when it comes to that place.
    ///
    /// ```starlark
    /// def configured(name: str) -> dict:
    ///     file_write(name, contents = "")
    ///     return {"changes": {name: "written"}}
    /// ```
    ///
    /// ```starlark
    /// def configured(name: str) -> dict:
    ///     file_write(name, content = "")
    ///     return {"changes": {name: "written"}}
    /// ```
    pub WRONG_MODULE_CALL = "Z0809", "wrong-module-call", Error;

    /// A companion `X_check` calls something that changes the machine.
    ///
    /// It tells what `X` would do, and runs in test mode; there such a call fails.
    ///
    /// ```starlark
    /// def configured_check(name: str) -> dict:
    ///     file_write(name, "")
    ///     return {"changes": {}}
    /// ```
    ///
    /// Compare in the companion, and change in the function.
    pub CHECK_THAT_CHANGES = "Z0808", "check-that-changes", Error;
}
