//! Every requisite against every result of its target, in applies and in test runs.

use super::step::Steps;
use crate::runner::{Outcome, SkipReason};
use zester_compiler::ir::Requisite::{self, *};

/// What the state that has the requisite does.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Then {
    /// Runs (and has nothing to do).
    Runs,
    /// Runs its reaction.
    Reacts,
    /// Is skipped.
    Skips(SkipReason),
}

const RUNS: Then = Then::Runs;
const REACTS: Then = Then::Reacts;
const FAILS: Then = Then::Skips(SkipReason::RequireFailed);
const NO_CHANGE: Then = Then::Skips(SkipReason::OnchangesNotMet);
const NO_FAILURE: Then = Then::Skips(SkipReason::OnfailNotMet);

/// Builds a target that ends in the wanted way, and a follower; `true` when the follower did as expected.
fn follower(requisite: Requisite, targets: &[&str], then: Then) {
    for test in [false, true] {
        let mut steps = Steps::default();
        let broken = steps.add("broken", "fail");
        let found: Vec<_> = targets
            .iter()
            .enumerate()
            .map(|(n, target)| {
                let id = format!("target{n}");
                match *target {
                    // Not run because what it requires failed.
                    "dependent" => {
                        let index = steps.add(&id, "change");
                        steps.link(index, Require, broken);
                        index
                    }
                    // Not run because its guard says no.
                    "guarded" => {
                        let index = steps.add(&id, "change");
                        steps
                            .node(index)
                            .attributes
                            .unless
                            .push(zester_compiler::ir::Guard::Command("true".to_owned()));
                        index
                    }
                    does => steps.add(&id, does),
                }
            })
            .collect();
        let follower = steps.reacting("follower", "none");
        for target in found {
            steps.link(follower, requisite, target);
        }
        let ran = steps.run_with(test, crate::runner::RunOptions::default());
        let expected = match then {
            Then::Runs => (Outcome::Unchanged, None),
            Then::Reacts if test => (Outcome::WouldChange, None),
            Then::Reacts => (Outcome::Changed, None),
            Then::Skips(reason) => (Outcome::Skipped, Some(reason)),
        };
        assert_eq!(ran.of("follower"), expected, "{requisite:?} of {targets:?}, test run: {test}");
        assert_eq!(ran.log.contains(&"follower reacts".to_owned()), then == REACTS && !test);
    }
}

#[test]
fn one_target() {
    for (requisite, change, none, fail, dependent, guarded) in [
        (Require, RUNS, RUNS, FAILS, FAILS, RUNS),
        (RequireAny, RUNS, RUNS, FAILS, FAILS, RUNS),
        (Watch, REACTS, RUNS, FAILS, FAILS, RUNS),
        (WatchAny, REACTS, RUNS, FAILS, FAILS, RUNS),
        (Onchanges, RUNS, NO_CHANGE, FAILS, FAILS, NO_CHANGE),
        (OnchangesAny, RUNS, NO_CHANGE, FAILS, FAILS, NO_CHANGE),
        (Onfail, NO_FAILURE, NO_FAILURE, RUNS, RUNS, NO_FAILURE),
        (OnfailAny, NO_FAILURE, NO_FAILURE, RUNS, RUNS, NO_FAILURE),
        (OnfailAll, NO_FAILURE, NO_FAILURE, RUNS, RUNS, NO_FAILURE),
        (Order, RUNS, RUNS, RUNS, RUNS, RUNS),
    ] {
        follower(requisite, &["change"], change);
        follower(requisite, &["none"], none);
        follower(requisite, &["fail"], fail);
        follower(requisite, &["dependent"], dependent);
        follower(requisite, &["guarded"], guarded);
    }
}

#[test]
fn two_targets() {
    for (requisite, change_none, change_fail, none_fail) in [
        (Require, RUNS, FAILS, FAILS),
        (RequireAny, RUNS, RUNS, RUNS),
        (Watch, REACTS, FAILS, FAILS),
        (WatchAny, REACTS, REACTS, RUNS),
        (Onchanges, RUNS, FAILS, FAILS),
        (OnchangesAny, RUNS, RUNS, NO_CHANGE),
        (Onfail, NO_FAILURE, RUNS, RUNS),
        (OnfailAny, NO_FAILURE, RUNS, RUNS),
        (OnfailAll, NO_FAILURE, NO_FAILURE, NO_FAILURE),
    ] {
        follower(requisite, &["change", "none"], change_none);
        follower(requisite, &["none", "change"], change_none);
        follower(requisite, &["change", "fail"], change_fail);
        follower(requisite, &["fail", "none"], none_fail);
    }
}

#[test]
fn a_preparation_runs_only_for_a_change_and_keeps_what_it_prepares_from_running_when_it_fails() {
    for test in [false, true] {
        for (target_does, prepares, expected, target) in [
            ("change", "change", (changed(test), None), (changed(test), None)),
            (
                "none",
                "change",
                (Outcome::Skipped, Some(SkipReason::PrereqNotMet)),
                (Outcome::Unchanged, None),
            ),
            ("fail", "change", (Outcome::Skipped, Some(SkipReason::PrereqNotMet)), (Outcome::Failed, None)),
            ("change", "fail", (Outcome::Failed, None), (Outcome::Skipped, Some(SkipReason::RequireFailed))),
        ] {
            let mut steps = Steps::default();
            let before = steps.add("before", prepares);
            let after = steps.add("after", target_does);
            steps.link(before, Prereq, after);
            // Trees often say both.
            steps.link(after, Require, before);
            let ran = steps.run_with(test, crate::runner::RunOptions::default());
            assert_eq!(
                (ran.of("before"), ran.of("after")),
                (expected, target),
                "{target_does}, {prepares}, test: {test}"
            );
        }
    }
}

fn changed(test: bool) -> Outcome {
    if test { Outcome::WouldChange } else { Outcome::Changed }
}

#[test]
fn a_preparation_looks_through_what_its_target_waits_for() {
    // drain → (prereq) restart → (onchanges) config; restart itself always has something to do.
    for (config, runs) in [("change", true), ("none", false)] {
        let mut steps = Steps::default();
        let drain = steps.add("drain", "change");
        let config = steps.add("config", config);
        let restart = steps.add("restart", "change");
        steps.link(drain, Prereq, restart);
        steps.link(restart, Onchanges, config);
        assert_eq!(steps.apply().log.contains(&"drain".to_owned()), runs);
    }
    // A chain of preparations: the last one decides.
    for (last, log) in [("change", vec!["first", "second", "third"]), ("none", vec![])] {
        let mut steps = Steps::default();
        let first = steps.add("first", "change");
        let second = steps.add("second", "change");
        let third = steps.add("third", last);
        steps.link(first, Prereq, second);
        steps.link(second, Prereq, third);
        assert_eq!(steps.apply().log, log);
    }
}
