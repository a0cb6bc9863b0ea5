//! `locale.*` functions: which languages there are.

use crate::{
    Library, locale,
    provider::tool::{succeed, tool},
};

exec! {
    /// Names of the locales that are there.
    "locale.list_avail" probe ListAvail {} |_, cx| {
        let output = succeed(cx, tool("locale", ["-a"]))?;
        Ok(output.stdout.lines().map(str::to_owned).collect::<Vec<_>>().into())
    }
}

exec! {
    /// The machine's language; empty when none is set.
    "locale.get_locale" probe GetLocale {} |_, cx| Ok(locale::current(cx).map_err(|f| f.message)?.unwrap_or_default().into())
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<ListAvail>().exec::<GetLocale>();
}
