//! Changes of packages as data: per package, the version before and after.

use crate::{
    Changes, Context, change,
    provider::{Packages, Transaction, Versions},
};

/// `{name: {old, new}}`; an absent package is empty text, as users of Salt know it.
pub(crate) fn changes(transaction: &Transaction) -> Changes {
    transaction
        .iter()
        .map(|(name, (old, new))| {
            let text = |v: &Option<String>| v.clone().unwrap_or_default();
            (name.clone(), change(text(old), text(new)))
        })
        .collect()
}

/// What differs between two listings.
pub(crate) fn difference(before: &Versions, after: &Versions) -> Transaction {
    let mut all = Transaction::new();
    for (name, old) in before {
        let new = after.get(name);
        if new != Some(old) {
            all.insert(name.clone(), (Some(old.clone()), new.cloned()));
        }
    }
    for (name, new) in after {
        if !before.contains_key(name) {
            all.insert(name.clone(), (None, Some(new.clone())));
        }
    }
    all
}

/// Runs `act` and gives what really changed, also when it failed half-way.
pub(crate) fn observe(
    cx: &Context,
    packages: &dyn Packages,
    act: impl FnOnce() -> Result<(), String>,
) -> Result<Changes, crate::Failure> {
    let before = packages.installed(cx)?;
    let outcome = act();
    let changed = changes(&difference(&before, &*packages.installed(cx)?));
    match outcome {
        Ok(()) => Ok(changed),
        Err(message) => Err(crate::Failure::new(message).with_changes(changed)),
    }
}

/// `a, b and 3 more`
pub(crate) fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.split_at_checked(8) {
        Some((shown, rest)) if !rest.is_empty() => format!("{} and {} more", shown.join(", "), rest.len()),
        _ => names.join(", "),
    }
}
