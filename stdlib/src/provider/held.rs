//! Held packages that an author wants changed all the same (`update_holds`), with tools that have no option for it: the hold is
//! taken away for the time of the call.

use super::packages::{Packages, Transaction};
use crate::Context;

/// A package and the wanted version.
type Target = (String, Option<String>);

/// The held ones among packages, and the others.
pub(super) fn split(
    cx: &Context,
    packages: &dyn Packages,
    targets: &[Target],
) -> Result<(Vec<Target>, Vec<Target>), String> {
    let held = packages.held(cx)?;
    Ok(targets.iter().cloned().partition(|(name, _)| held.contains(name)))
}

/// What becomes of held packages. The tool cannot be asked while the hold stands, so what they need is not foreseen.
pub(super) fn foresee(
    cx: &Context,
    packages: &dyn Packages,
    targets: &[Target],
    from: Option<&str>,
) -> Result<Transaction, String> {
    if targets.is_empty() {
        return Ok(Transaction::new());
    }
    let installed = packages.installed(cx)?;
    let names: Vec<String> = targets.iter().map(|(name, _)| name.clone()).collect();
    let mut candidates = packages.candidates(cx, &names, from)?;
    let mut all = Transaction::new();
    for (name, version) in targets {
        let old = installed.get(name).cloned();
        let new = version.clone().or_else(|| candidates.remove(name));
        if new.is_some() && new != old {
            all.insert(name.clone(), (old, new));
        }
    }
    Ok(all)
}

/// Runs `act` without the hold of these packages, and puts it back whatever happens.
pub(super) fn without(
    cx: &Context,
    packages: &dyn Packages,
    targets: &[Target],
    act: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    if targets.is_empty() {
        return act();
    }
    let names: Vec<String> = targets.iter().map(|(name, _)| name.clone()).collect();
    packages.set_held(cx, &names, false)?;
    let done = act();
    let back = packages.set_held(cx, &names, true);
    match (done, back) {
        (Err(message), Err(hold)) => Err(format!("{message}; and they are no longer held: {hold}")),
        (Err(message), Ok(())) => Err(message),
        (Ok(()), back) => back,
    }
}
