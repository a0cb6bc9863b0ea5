//! Runs: failures and their causes, guards, retries, listeners, cancellation, secrets; test runs foretell applies.

use super::step::Steps;
use crate::runner::{Outcome, Return, RunOptions, SkipReason, Status};
use proptest::prelude::*;
use zester_compiler::{
    ir::{Guard, Requisite::*, Retry},
    types::{Map, Value},
};

#[test]
fn the_first_cause_is_named_all_the_way_down() {
    let mut steps = Steps::default();
    let first = steps.add("first", "break");
    let second = steps.add("second", "change");
    let third = steps.add("third", "change");
    steps.link(second, Require, first);
    steps.link(third, Watch, second);
    let ran = steps.apply();
    assert_eq!(ran.of("third"), (Outcome::Skipped, Some(SkipReason::RequireFailed)));
    assert!(ran.state("third").comment.contains("first (fake.step)"), "{}", ran.state("third").comment);
    assert_eq!(ran.log, ["first"]);
    assert_eq!(ran.returned.status, Status::Failed);
    assert_eq!((ran.returned.counts.failed, ran.returned.counts.skipped), (1, 2));
}

#[test]
fn a_defect_in_a_state_is_its_failure_only() {
    let mut steps = Steps::default();
    steps.add("bad", "panic");
    steps.add("good", "change");
    let ran = steps.apply();
    assert_eq!(ran.of("bad").0, Outcome::Failed);
    assert!(ran.state("bad").comment.contains("a defect"));
    assert_eq!(ran.log, ["good"]);
}

#[test]
fn a_state_that_changed_does_not_react_as_well() {
    let mut steps = Steps::default();
    let config = steps.add("config", "change");
    let service = steps.reacting("service", "change");
    steps.link(service, Watch, config);
    assert_eq!(steps.apply().log, ["config", "service"]);
}

#[test]
fn a_change_that_was_waited_for_is_an_occasion_for_who_wants_one() {
    for (cause, eager, log) in [
        ("change", true, vec!["cause", "touch reacts"]),
        ("change", false, vec!["cause"]),
        ("none", true, vec![]),
    ] {
        let mut steps = Steps::default();
        let cause = steps.add("cause", cause);
        let touch = steps.reacting("touch", "none");
        steps.node(touch).args.insert("eager".to_owned(), eager.into());
        steps.link(touch, Onchanges, cause);
        assert_eq!(steps.apply().log, log);
    }
}

#[test]
fn a_stateful_application_can_say_that_nothing_changed() {
    let mut steps = Steps::default();
    let command = steps.add("command", "stateful");
    let service = steps.reacting("service", "none");
    steps.link(service, Watch, command);
    let ran = steps.apply();
    assert_eq!(ran.of("command").0, Outcome::Unchanged);
    assert!(ran.state("command").changes.is_empty());
    assert_eq!(ran.log, ["command"]);
}

#[test]
fn listeners_react_once_at_the_end() {
    for (guard, log) in
        [(None, vec!["a", "b", "last", "service reacts"]), (Some("false"), vec!["a", "b", "last"])]
    {
        let mut steps = Steps::default();
        let service = steps.reacting("service", "none");
        let a = steps.add("a", "change");
        let b = steps.add("b", "change");
        steps.add("last", "change");
        steps.link(service, Listen, a);
        steps.link(service, Listen, b);
        if let Some(line) = guard {
            steps.node(service).attributes.onlyif.push(Guard::Command(line.to_owned()));
        }
        assert_eq!(steps.apply().log, log);
    }
}

#[test]
fn failhard_ends_the_run() {
    for (own, option) in [(true, false), (false, true)] {
        let mut steps = Steps::default();
        let bad = steps.add("bad", "break");
        steps.node(bad).attributes.failhard = own;
        let rescue = steps.add("rescue", "change");
        steps.link(rescue, Onfail, bad);
        let ran = steps.run_with(false, RunOptions { failhard: option, ..RunOptions::default() });
        assert_eq!(ran.of("rescue"), (Outcome::Skipped, Some(SkipReason::FailhardAbort)));
        assert!(ran.state("rescue").comment.contains("bad (fake.step)"));
    }
}

#[test]
fn where_states_hold_the_lock_themselves_each_that_changes_the_machine_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("apply.lock");
    let name = path.to_str().unwrap();
    for (parallel, lock, words) in [
        (false, true, "another apply is running"),
        (true, true, "another apply is running"),
        (false, false, "free"),
    ] {
        let mut steps = Steps::default();
        let look = steps.add(name, "look");
        steps.node(look).attributes.parallel = parallel;
        let beside = steps.add("beside", "change");
        steps.node(beside).attributes.parallel = parallel;
        let options = RunOptions { lock: lock.then(|| path.clone()), ..RunOptions::default() };
        let ran = steps.run_with(false, options);
        assert!(ran.state(name).comment.starts_with(words), "{}", ran.state(name).comment);
        assert_eq!(ran.of("beside"), (Outcome::Changed, None));
    }
    assert!(crate::runner::Lock::take(&path, None).is_ok(), "it is free afterwards");
}

#[test]
fn a_cancelled_run_finishes_the_running_state() {
    let mut steps = Steps::default();
    steps.add("running", "cancel");
    steps.add("next", "change");
    let ran = steps.apply();
    assert_eq!(ran.of("running"), (Outcome::Changed, None));
    assert_eq!(ran.of("next"), (Outcome::Skipped, Some(SkipReason::Cancelled)));
    assert_eq!(ran.returned.status, Status::Cancelled);
}

#[test]
fn guards_decide_and_run_where_the_state_runs() {
    let command = |line: &str| Guard::Command(line.to_owned());
    for (onlyif, unless, creates, runs) in [
        (vec!["succeed"], vec![], vec![], true),
        (vec!["succeed", "refuse"], vec![], vec![], false),
        (vec![], vec!["refuse"], vec![], true),
        (vec![], vec!["succeed", "refuse"], vec![], true),
        (vec![], vec!["succeed"], vec![], false),
        (vec![], vec![], vec!["/tmp"], false),
        (vec![], vec![], vec!["/tmp", "/nowhere"], true),
    ] {
        let mut steps = Steps::default();
        let step = steps.add("step", "change");
        let node = steps.node(step);
        node.args.insert("does".to_owned(), Value::from("change"));
        node.attributes.onlyif = onlyif.iter().copied().map(command).collect();
        node.attributes.unless = unless.iter().copied().map(command).collect();
        node.attributes.creates = creates.iter().map(|p| (*p).to_owned()).collect();
        node.attributes.runas = Some("web".to_owned());
        let ran = steps.apply();
        let expected =
            if runs { (Outcome::Changed, None) } else { (Outcome::Skipped, Some(SkipReason::GuardNotMet)) };
        assert_eq!(ran.of("step"), expected, "{onlyif:?} {unless:?} {creates:?}");
        assert!(ran.machine.commands.calls().iter().all(|c| c.runas.as_deref() == Some("web")));
    }
}

#[test]
fn guards_that_call_a_function_look_at_what_it_returns() {
    for (value, path, runs) in [
        (Value::from(true), Some("deep:value"), true),
        (Value::from(false), Some("deep:value"), false),
        (Value::from(""), Some("deep:value"), false),
        (Value::from(true), Some("deep:nothing"), false),
        // The map itself is not empty.
        (Value::from(false), None, true),
    ] {
        for (unless, expected) in [(false, runs), (true, !runs)] {
            let mut steps = Steps::default();
            let step = steps.add("step", "change");
            let kwargs = path.map(|p| ("get_return".to_owned(), Value::from(p))).into_iter().collect();
            let call = Guard::Call { function: "fake.nested".to_owned(), args: vec![value.clone()], kwargs };
            let attributes = &mut steps.node(step).attributes;
            if unless { &mut attributes.unless } else { &mut attributes.onlyif }.push(call);
            assert_eq!(steps.apply().log.len(), usize::from(expected), "{value:?} {path:?} unless: {unless}");
        }
    }
    // A function that does not exist is a failure of the state, not a guard that says no.
    let mut steps = Steps::default();
    let step = steps.add("step", "change");
    let call = Guard::Call { function: "fake.nothing".to_owned(), args: Vec::new(), kwargs: Map::new() };
    steps.node(step).attributes.unless.push(call);
    let ran = steps.apply();
    assert_eq!(ran.of("step"), (Outcome::Failed, None));
    assert!(ran.state("step").comment.contains("`fake.nothing`"));
}

#[test]
fn check_cmd_has_the_last_word() {
    for (does, line, result) in [
        ("change", "refuse", Outcome::Failed),
        ("change", "succeed", Outcome::Changed),
        ("none", "refuse", Outcome::Unchanged),
    ] {
        let mut steps = Steps::default();
        let step = steps.add("step", does);
        steps.node(step).attributes.check_cmd.push(line.to_owned());
        assert_eq!(steps.apply().of("step").0, result, "{does} {line}");
    }
}

#[test]
fn retry_goes_on_until_it_works() {
    for (attempts, result) in [(2, Outcome::Failed), (5, Outcome::Changed)] {
        let mut steps = Steps::default();
        let step = steps.add("step", "third");
        steps.node(step).attributes.retry = Some(Retry { attempts, until: true, interval: 0.0, splay: 0.0 });
        let ran = steps.apply();
        assert_eq!(ran.of("step").0, result);
        assert_eq!(ran.log.len(), attempts.min(3) as usize);
    }
}

#[test]
fn secrets_are_masked_in_changes_and_comments() {
    let mut steps = Steps::default();
    let step = steps.add("step", "change");
    let node = steps.node(step);
    node.args.insert("password".to_owned(), Value::from("hunter2 and more"));
    node.secret.push("password".to_owned());
    let ran = steps.apply();
    let json = serde_json::to_string(ran.state("step")).unwrap();
    assert!(!json.contains("hunter2") && json.contains("***"), "{json}");
}

#[test]
fn parallel_states_run_and_requisites_hold_among_them() {
    let mut steps = Steps::default();
    let indices: Vec<_> =
        (0..6).map(|n| steps.add(&format!("s{n}"), if n == 0 { "break" } else { "change" })).collect();
    for index in &indices {
        steps.node(*index).attributes.parallel = true;
    }
    steps.link(indices[5], Require, indices[0]);
    let ran = steps.apply();
    assert_eq!(ran.of("s5"), (Outcome::Skipped, Some(SkipReason::RequireFailed)));
    assert_eq!(ran.returned.counts.changed, 4);
}

fn outcomes(returned: &Return) -> Vec<(String, Outcome, Option<SkipReason>)> {
    let applied = |o: Outcome| if o == Outcome::WouldChange { Outcome::Changed } else { o };
    returned.states.iter().map(|s| (s.id.clone(), applied(s.result), s.skip_reason)).collect()
}

proptest! {
    /// Whatever the plan: a test run applies nothing and says of each state what the apply then does.
    #[test]
    fn a_test_run_foretells_the_apply(
        does in prop::collection::vec(prop::sample::select(vec!["change", "none", "fail"]), 1..12),
        reacts in prop::collection::vec(any::<bool>(), 12),
        edges in prop::collection::vec((0usize..12, 0usize..12, 0usize..11), 0..24),
    ) {
        let kinds = [Require, RequireAny, Watch, WatchAny, Onchanges, OnchangesAny, Onfail, OnfailAny, OnfailAll, Listen, Prereq];
        let mut steps = Steps::default();
        let nodes: Vec<_> = does.iter().zip(&reacts).enumerate().map(|(n, (does, reacts))| {
            let id = format!("s{n}");
            if *reacts { steps.reacting(&id, does) } else { steps.add(&id, does) }
        }).collect();
        for (a, b, kind) in edges {
            let (earlier, later) = (a.min(b), a.max(b));
            if earlier == later || later >= nodes.len() { continue }
            match kinds[kind] {
                Prereq => steps.link(nodes[earlier], Prereq, nodes[later]),
                kind => steps.link(nodes[later], kind, nodes[earlier]),
            }
        }
        let foretold = steps.test();
        prop_assert!(foretold.log.is_empty());
        prop_assert_eq!(outcomes(&foretold.returned), outcomes(&steps.apply().returned));
    }
}
