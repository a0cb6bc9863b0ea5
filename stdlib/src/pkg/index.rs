//! The package index: refreshed when it is due, at most once per run.
//!
//! A refresh brings no package onto the machine: it is how the machine is *read*, so a plan may do it, and test mode
//! sees what apply would see.

use crate::{Context, provider::Packages};

const REFRESHED: &str = "packages:refreshed";
const NEW_REPOSITORY: &str = "packages:new-repository";

/// Seconds for which an index is taken as fresh when the author says nothing.
const FRESH_S: f64 = 3_600.0;

/// Refreshes the index unless this run did so already: when asked for (`refresh: true`, unless it is younger than
/// `cache_valid_time`), never when forbidden (`refresh: false`), and when nothing is said if it is older than an
/// hour or older than the list of repositories.
///
/// A failure is not fatal, as one broken repository must not stop what the others can give. Its words are returned
/// and belong into the message of whatever fails because of it.
pub(crate) fn refresh_if_due(
    cx: &Context,
    packages: &dyn Packages,
    refresh: Option<bool>,
    valid_s: Option<f64>,
) -> Result<Option<String>, String> {
    if let Some(done) = cx.run.get::<Option<String>>(REFRESHED) {
        return Ok((*done).clone());
    }
    let due = match (refresh, valid_s) {
        (Some(false), _) => false,
        (Some(true), None) => true,
        (_, valid) => {
            let limit = valid.unwrap_or(FRESH_S);
            packages.index_age(cx)?.is_none_or(|age| age > limit)
        }
    };
    if due { force(cx, packages) } else { Ok(None) }
}

/// Refreshes the index unless this run did so already. Gives the words of a failure.
pub(crate) fn force(cx: &Context, packages: &dyn Packages) -> Result<Option<String>, String> {
    if let Some(done) = cx.run.get::<Option<String>>(REFRESHED) {
        return Ok((*done).clone());
    }
    let outcome = packages.refresh(cx).err();
    cx.run.set(REFRESHED, outcome.clone());
    Ok(outcome)
}

/// Whether this run refreshed the index.
pub(crate) fn refreshed(cx: &Context) -> bool {
    cx.run.get::<Option<String>>(REFRESHED).is_some()
}

/// The repositories have changed: the next refresh happens.
pub(crate) fn forget_refresh(cx: &Context) {
    cx.run.forget(REFRESHED);
}

/// A test run would add a repository, so what the index does not have may still become known.
pub(crate) fn note_new_repository(cx: &Context) {
    cx.run.set(NEW_REPOSITORY, true);
}

/// Whether this test run would add a repository.
pub(crate) fn awaits_repository(cx: &Context) -> bool {
    cx.test && cx.run.get::<bool>(NEW_REPOSITORY).is_some()
}
