//! What fuel does not count: the engine's steps are few where one of them copies a list that doubled thirty times. Each render has a budget of
//! values that its lists, dicts and conversions may touch; what would exceed it stops at once, and the render fails.

use std::cell::Cell;

/// Values that one render may touch. A real tree's largest file touches some ten thousand.
const VALUES: u64 = 8_000_000;

thread_local! {
    /// What is left, and whether something had to stop; nothing while no render runs.
    static LEFT: Cell<Option<(u64, bool)>> = const { Cell::new(None) };
}

/// The budget of one render; the one around it goes on when this is dropped.
pub struct Budget {
    around: Option<(u64, bool)>,
}

impl Budget {
    /// A full budget for what this thread renders next.
    pub fn start() -> Self {
        Self { around: LEFT.replace(Some((VALUES, false))) }
    }

    /// Whether something had to stop.
    pub fn is_spent() -> bool {
        LEFT.get().is_some_and(|(_, spent)| spent)
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        LEFT.set(self.around);
    }
}

/// Takes so many values out of the budget; false, from then on always, when they are not in it.
pub fn spend(values: usize) -> bool {
    let Some((left, spent)) = LEFT.get() else { return true };
    match left.checked_sub(values as u64) {
        Some(left) if !spent => {
            LEFT.set(Some((left, false)));
            true
        }
        _ => {
            LEFT.set(Some((left, true)));
            false
        }
    }
}

/// The error of what cannot go on.
pub fn exceeded() -> minijinja::Error {
    minijinja::Error::from(minijinja::ErrorKind::OutOfFuel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_within_another_is_its_own() {
        let _outer = Budget::start();
        assert!(spend(10));
        {
            let _inner = Budget::start();
            assert!(!spend(usize::MAX));
            assert!(Budget::is_spent() && !spend(1));
        }
        assert!(!Budget::is_spent() && spend(1));
    }
}
