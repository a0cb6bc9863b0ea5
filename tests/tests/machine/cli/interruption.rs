//! Signals, two applies at once, readers that go away.

use serde_json::json;
use std::{io::Read, process::Stdio};
use zester_tests::command::Scratch;

const SLOW: &str = "\
slow:
  cmd.run:
    - name: touch ROOT/started; while [ ! -e ROOT/go ]; do sleep 0.05; done; touch ROOT/finished
next:
  cmd.run:
    - name: touch ROOT/next
";

#[test]
fn a_signal_lets_the_running_state_finish_and_cancels_the_rest() {
    for (signal, status) in [("TERM", 143), ("INT", 130)] {
        let tree = Scratch::new(&[("states/app.zy", SLOW)]);
        let started = tree.start(&["apply", "--wait", "app", "--id", "x", "--output", "json"]);
        tree.await_file("started");
        started.signal(signal);
        std::fs::write(tree.root().join("go"), "").unwrap();
        let finished = started.finish().exits(status);
        let peel = &finished.json()["peels"]["x"];
        assert_eq!(
            (&peel["states"][0]["result"], &peel["states"][1]["result"]),
            (&json!("changed"), &json!("skipped"))
        );
        assert_eq!(peel["states"][1]["skip_reason"], "cancelled");
        assert!(tree.made("finished").is_some() && tree.made("next").is_none());
    }
}

#[test]
fn one_apply_at_a_time() {
    let tree = Scratch::new(&[("states/app.zy", SLOW)]);
    let first = tree.start(&["apply", "--wait", "app"]);
    tree.await_file("started");
    let second = tree.run(&["apply", "app", "--output", "json"]).exits(2);
    let message = second.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("another apply is running") && message.contains(&first.0.id().to_string()),
        "{message}"
    );
    // A test run changes nothing, so it may look on.
    tree.run(&["apply", "app", "--test"]).exits(0);
    // One that waits can be interrupted, and has done nothing.
    let waiting = tree.start(&["apply", "--wait", "app"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    waiting.signal("TERM");
    assert!(waiting.finish().exits(143).stderr.contains("nothing was touched"));
    std::fs::write(tree.root().join("go"), "").unwrap();
    first.finish().exits(0);
    assert!(tree.made("next").is_some());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let tree = Scratch::new(&[]);
    let mut child =
        tree.command(&["doc", "file.managed"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!((child.wait().unwrap().code(), words.as_str()), (Some(0), ""));
}
