//! `alternatives.*` functions: what a common name stands for.

use crate::{
    Context, Library,
    alternatives::{self, Group},
};
use zester_compiler::types::{Path, Value};

fn look(cx: &Context, name: &str) -> Result<Group, String> {
    Ok(alternatives::look(cx, name).map_err(|f| f.message)?.unwrap_or_default())
}

exec! {
    /// What the machine's own tool prints of an alternative.
    "alternatives.display" probe Display {
        /// Its name.
        name: String,
    } |it, cx| Ok(alternatives::display(cx, &it.name).map_err(|f| f.message)?.unwrap_or_default().trim_end().into())
}

exec! {
    /// What an alternative points to; empty when nothing has that name.
    "alternatives.show_current" probe ShowCurrent {
        /// Its name.
        name: String,
    } |it, cx| {
        Ok(look(cx, &it.name)?.current.unwrap_or_default().into())
    }
}

exec! {
    /// The link of an alternative; empty when nothing has that name.
    "alternatives.show_link" probe ShowLink {
        /// Its name.
        name: String,
    } |it, cx| {
        Ok(look(cx, &it.name)?.link.unwrap_or_default().into())
    }
}

exec! {
    /// Whether a path is what an alternative points to.
    "alternatives.check_installed" probe CheckInstalled {
        /// Its name.
        name: String,
        /// The path.
        path: Path,
    } |it, cx| {
        Ok(Value::Bool(look(cx, &it.name)?.current.is_some_and(|current| current == it.path.0)))
    }
}

exec! {
    /// Whether a path is among the choices of an alternative.
    "alternatives.check_exists" probe CheckExists {
        /// Its name.
        name: String,
        /// The path.
        path: Path,
    } |it, cx| {
        Ok(Value::Bool(look(cx, &it.name)?.choices.iter().any(|(path, _)| *path == it.path.0)))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Display>()
        .exec::<ShowCurrent>()
        .exec::<ShowLink>()
        .exec::<CheckInstalled>()
        .exec::<CheckExists>();
}

#[cfg(test)]
mod tests {
    use crate::{
        exec::tests::{call, gives},
        provider::fake::FakeMachine,
    };

    #[test]
    fn what_an_alternative_is() {
        let machine = FakeMachine::new();
        let text = "editor - auto mode\n  link best version is /usr/bin/vim\n  link currently points to /usr/bin/vim\n  \
            link editor is /usr/bin/editor\n/bin/nano - priority 40\n/usr/bin/vim - priority 60\n";
        machine.commands.reply("update-alternatives --display editor", 0, text);
        gives(&machine, "alternatives.show_current", r#"["editor"]"#, r#""/usr/bin/vim""#);
        gives(&machine, "alternatives.show_link", r#"["editor"]"#, r#""/usr/bin/editor""#);
        gives(&machine, "alternatives.check_exists", r#"["editor", "/bin/nano"]"#, "true");
        gives(&machine, "alternatives.check_installed", r#"["editor", "/bin/nano"]"#, "false");
        gives(&machine, "alternatives.show_current", r#"["gone"]"#, r#""""#);
        assert!(call(&machine, "alternatives.show_current", r#"["-x"]"#, "{}").is_err());
    }
}
