//! Orchestrations on a fleet of real processes: order across groups, failures, test runs, events, interruption.

use std::{fs, path::PathBuf, process::Command, time::Duration};
use zester_tests::lab::{Lab, await_that};

fn root(lab: &Lab, peel: &str) -> PathBuf {
    lab.directory().join(peel).join("root")
}

/// Files that the orchestrations of all tests apply.
fn tree(lab: &Lab) {
    lab.write("zester.yaml", "{}\n");
    lab.write(
        "states/mark.zy",
        "{{ facts.lab_root }}/mark:\n  file.managed:\n    - contents: version {{ settings.get('version', 'none') }}\n",
    );
    lab.write(
        "states/when.zy",
        "when:\n  cmd.run:\n    - name: sleep 0.2; date +%s%N > {{ facts.lab_root }}/when\n    - creates: {{ facts.lab_root }}/when\n",
    );
    lab.write("states/bad.zy", "it breaks:\n  test.fail_without_changes:\n    - comment: no such luck\n");
    lab.write(
        "states/slow.zy",
        "begin:\n  file.managed:\n    - name: {{ facts.lab_root }}/begun\n    - contents: x\nwork:\n  cmd.run:\n    - name: sleep 8\nend:\n  file.managed:\n    - name: {{ facts.lab_root }}/ended\n    - contents: x\n",
    );
}

fn publish(lab: &Lab) {
    lab.run(&["publish", "-C", "tree"]).exits(0);
}

#[test]
fn groups_come_in_their_order_and_a_failure_stops_what_needs_it() {
    let lab = Lab::up(1, 4);
    tree(&lab);
    // The second group stands first: requisites decide.
    lab.write(
        "states/orch/rollout.zy",
        "second group:\n  zester.state:\n    - tgt: [web-3, web-4]\n    - sls: [when, mark]\n    - pillar:\n        version: {{ settings.version }}\n    - require:\n      - zester: first group\n\
         first group:\n  zester.state:\n    - tgt: 'L@web-1,web-2'\n    - sls: [when, mark]\n    - batch: 50%\n    - pillar:\n        version: {{ settings.version }}\n\
         who:\n  zester.function:\n    - name: grains.get\n    - tgt: web-1\n    - arg: [id]\n    - require:\n      - zester: second group\n",
    );
    lab.write("settings/top.zy", "base:\n  '*': [common]\n");
    lab.write("settings/common.zy", "version: 1\n");
    publish(&lab);
    let orch = |words: &[&str]| lab.run(&[&["orch", "-C", "tree"], words].concat());
    // Its plan needs no fleet, and is nothing to be applied here.
    let plan = lab.run(&["plan", "-C", "tree", "orch.rollout"]).exits(0).stdout;
    assert!(plan.find("first group") < plan.find("second group"), "{plan}");
    let refused = lab.run(&["apply", "-C", "tree", "orch.rollout"]).exits(1);
    assert!(refused.stderr.contains("Z0229") && refused.stderr.contains("zester orch REF"), "{refused:?}");

    // A test run says what would change and changes nothing.
    let test = orch(&["orch.rollout", "--test", "--detailed-exitcode", "--output", "json"]).exits(10).json();
    let results = |document: &serde_json::Value| -> Vec<String> {
        let states = document["states"].as_array().unwrap().iter();
        states.map(|s| format!("{} {}", s["id"].as_str().unwrap(), s["result"].as_str().unwrap())).collect()
    };
    assert_eq!(results(&test), ["first group would_change", "second group would_change", "who unchanged"]);
    for peel in ["web-1", "web-2", "web-3", "web-4"] {
        assert!(!root(&lab, peel).join("mark").exists(), "{peel}");
    }

    let done = orch(&["orch.rollout", "--set", "version=7", "--output", "json"]).exits(0).json();
    assert_eq!(results(&done), ["first group changed", "second group changed", "who unchanged"]);
    let jobs = done["jobs"].as_array().unwrap();
    let steps: Vec<&str> = jobs.iter().map(|j| j["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["first group", "second group", "who"]);
    assert_eq!(jobs[0]["peels"]["web-2"]["counts"]["changed"], 2);
    assert_eq!(jobs[2]["peels"]["web-1"]["value"], "web-1");
    let changed = done["states"][0]["changes"]["web-1"].as_array().unwrap().len();
    assert_eq!(changed, 2, "{done}");
    let mut when = Vec::new();
    for peel in ["web-1", "web-2", "web-3", "web-4"] {
        assert_eq!(fs::read_to_string(root(&lab, peel).join("mark")).unwrap().trim(), "version 7");
        let text = fs::read_to_string(root(&lab, peel).join("when")).unwrap();
        when.push(text.trim().parse::<u128>().unwrap());
    }
    assert!(when[0].max(when[1]) < when[2].min(when[3]), "{when:?}");
    // What the portions were is in the job's record, and so is whose job it is.
    let jid = jobs[0]["jid"].as_str().unwrap();
    let record = lab.run(&["kv", "jobs", jid, "--output", "json"]).exits(0).json();
    assert_eq!(record["value"]["batch"]["size"], 1);
    assert_eq!(record["value"]["metadata"]["orchestration"], "orch.rollout");

    // Once more there is nothing to do; the settings of a run come as a map as well.
    let again = orch(&["orch.rollout", "--pillar", "{version: 7}"]).exits(0);
    assert!(again.stdout.contains("3 unchanged"), "{again:?}");
    assert!(again.stderr.contains("1/3 zester.state first group: unchanged"), "{again:?}");

    // A step that fails: what needs it does not run, what waits for its failure does.
    lab.write(
        "states/orch/failing.zy",
        "{% set to = settings.get('rescued') %}\n\
         first:\n  salt.state:\n    - tgt: 'web-[12]'\n    - sls: [bad]\n\
         second:\n  salt.state:\n    - tgt: 'web-[34]'\n    - sls: [mark]\n    - pillar: {version: 8}\n    - require:\n      - salt: first\n\
         rescue:\n  salt.function:\n    - name: cmd.run\n    - tgt: web-1\n    - arg: ['touch {{ to }}']\n    - onfail:\n      - salt: first\n",
    );
    let rescued = root(&lab, "web-1").join("rescued");
    let set = format!("rescued={}", rescued.display());
    let failed = orch(&["orch.failing", "--set", &set]).exits(1);
    for words in [
        "2 of 2 peels failed",
        "web-2: `it breaks` (test.fail_without_changes) failed: no such luck",
        "at states/bad.zy:2:3",
        "at states/orch/failing.zy:3:3",
        "1 changed, 1 skipped, 1 failed",
    ] {
        assert!(failed.stdout.contains(words), "no `{words}` in {failed:#?}");
    }
    assert!(rescued.exists());
    assert_eq!(fs::read_to_string(root(&lab, "web-3").join("mark")).unwrap().trim(), "version 7");
    let document = orch(&["orch.failing", "--set", &set, "--output", "json"]).exits(1).json();
    assert_eq!(document["status"], "failed");
    let second = document["states"].as_array().unwrap().iter().find(|s| s["id"] == "second").unwrap();
    assert_eq!(second["skip_reason"], "require_failed");
    // The first failure may be one that is allowed.
    lab.write(
        "states/orch/allowed.zy",
        "first:\n  zester.state:\n    - tgt: 'web-[12]'\n    - sls: [bad]\n    - fail_minions: [web-1]\n    - allow_fail: 1\n\
         a command:\n  zester.function:\n    - name: cmd.run\n    - tgt: web-1\n    - arg: ['exit 3']\n    - kwarg: {ignore_retcode: true}\n",
    );
    orch(&["orch.allowed"]).exits(0);

    // In portions: what has failed goes no further.
    lab.write(
        "states/orch/portions.zy",
        "all:\n  zester.state:\n    - tgt: 'web-*'\n    - sls: [bad]\n    - batch: 1\n",
    );
    let portions = orch(&["orch.portions"]).exits(1);
    for words in ["1 of 4 peels failed", "web-1: `it breaks`", "3 peels not begun"] {
        assert!(portions.stdout.contains(words), "no `{words}` in {portions:#?}");
    }

    // A machine that is off is a failure, unless the step says otherwise; nobody at all is always one.
    lab.lab(&["kill", "web-4"]).exits(0);
    lab.write(
        "states/orch/off.zy",
        "strict:\n  zester.state:\n    - tgt: 'web-[34]'\n    - sls: [mark]\n    - timeout: 2\nlenient:\n  zester.state:\n    - tgt: 'web-[34]'\n    - sls: [mark]\n    - timeout: 2\n    - expect_minions: false\nnobody:\n  zester.state:\n    - tgt: 'db-*'\n    - sls: [mark]\n",
    );
    let off = orch(&["orch.off", "--output", "json"]).exits(1).json();
    assert_eq!(results(&off), ["strict failed", "lenient unchanged", "nobody failed"]);
    let comment = |index: usize| off["states"][index]["comment"].as_str().unwrap().to_owned();
    assert!(comment(0).contains("web-4: did not answer in time"), "{off}");
    assert!(comment(1).contains("unreachable web-4"), "{off}");
    assert_eq!(comment(2), "no peel matches `db-*`");

    // A peel does not orchestrate.
    publish(&lab);
    let refused = lab.run(&["web-1", "state.apply", "orch.rollout", "version=1"]).exits(3);
    assert!(refused.stdout.contains("has no argument `version`"), "{refused:?}");
    let refused = lab.run(&["web-1", "state.apply", "orch.failing"]).exits(3);
    let words = "states/orch/failing.zy:3:3: `salt.state` asks the fleet, which no peel may do [Z0229]";
    assert!(refused.stdout.contains(words), "{refused:?}");
}

#[test]
fn events_runners_and_orchestrations_in_orchestrations() {
    let lab = Lab::up(1, 2);
    tree(&lab);
    lab.write(
        "states/orch/waits.zy",
        "deploy.done:\n  zester.wait_for_event:\n    - id_list: [lab]\n    - timeout: 60\nafter:\n  zester.state:\n    - tgt: web-1\n    - sls: [mark]\n    - require:\n      - zester: deploy.done\n",
    );
    lab.write("states/orch/never.zy", "no.such.event:\n  salt.wait_for_event:\n    - timeout: 0.5\n");
    lab.write(
        "states/orch/all.zy",
        "tell:\n  zester.runner:\n    - name: event.send\n    - tag: deploy/done\n    - data: {build: 7}\n\
         hear:\n  zester.wait_for_event:\n    - name: deploy.*\n    - id_list: ['7']\n    - event_id: build\n    - timeout: 30\n\
         who:\n  salt.runner:\n    - name: manage.status\n    - kwarg: {timeout: 20}\n\
         machines:\n  zester.runner:\n    - name: enroll.list\n\
         what:\n  zester.runner:\n    - name: job.list\n    - limit: 1\n\
         peels:\n  zester.runner:\n    - name: peel.list\n    - target: 'web-1'\n\
         more:\n  salt.runner:\n    - name: state.orchestrate\n    - mods: orch.inner\n    - pillar: {version: 9}\n    - require: [{zester: hear}]\n",
    );
    lab.write(
        "states/orch/inner.zy",
        "marked:\n  zester.state:\n    - tgt: '*'\n    - sls: [mark]\n    - pillar:\n        version: {{ settings.version }}\n",
    );
    lab.write("states/orch/round.zy", "again:\n  zester.runner:\n    - name: orch\n    - ref: orch.round\n");
    publish(&lab);

    // It waits until somebody says so.
    let mut waiting = lab.spawn(&["orch", "-C", "tree", "orch.waits", "--output", "json"]);
    // The orchestration may need a moment to start: events count from there.
    await_that("it goes on", || {
        lab.run(&["event", "send", "deploy.done", "build=7"]).exits(0);
        waiting.try_wait().unwrap().is_some()
    });
    assert!(waiting.wait().unwrap().success());
    assert_eq!(fs::read_to_string(root(&lab, "web-1").join("mark")).unwrap().trim(), "version none");
    let never = lab.run(&["orch", "-C", "tree", "orch.never"]).exits(1);
    assert!(never.stdout.contains("no event `no.such.event` came within 0.5 seconds"), "{never:?}");
    let test = lab.run(&["orch", "-C", "tree", "orch.never", "--test", "-v"]).exits(0);
    assert!(test.stdout.contains("would wait for `no.such.event`"), "{test:?}");

    // In a test run nothing is sent, in the orchestration within neither.
    let test = lab.run(&["orch", "-C", "tree", "orch.all", "--test", "--output", "json"]).exits(0).json();
    let result = |document: &serde_json::Value, id: &str| {
        let state = document["states"].as_array().unwrap().iter().find(|s| s["id"] == id).unwrap().clone();
        (state["result"].as_str().unwrap().to_owned(), state["comment"].as_str().unwrap().to_owned())
    };
    assert_eq!(result(&test, "tell").0, "would_change");
    assert_eq!(result(&test, "more").0, "would_change");
    assert_eq!(fs::read_to_string(root(&lab, "web-1").join("mark")).unwrap().trim(), "version none");
    // An event that was sent before a step began to wait is there.
    let all = lab.run(&["orch", "-C", "tree", "orch.all", "--output", "json"]).exits(0).json();
    assert_eq!(result(&all, "hear"), ("unchanged".to_owned(), "came: deploy.done from lab".to_owned()));
    assert_eq!(result(&all, "who").1, r#"{"up":["web-1","web-2"],"down":[]}"#);
    assert_eq!(result(&all, "peels").1, r#"peel.list: ["web-1"]"#);
    assert!(result(&all, "what").1.contains("\"function\":\"test.ping\""), "{all}");
    assert_eq!(
        result(&all, "more"),
        ("changed".to_owned(), "`orch.inner`: 1 of 1 steps changed something".to_owned())
    );
    assert_eq!(fs::read_to_string(root(&lab, "web-2").join("mark")).unwrap().trim(), "version 9");
    let round = lab.run(&["orch", "-C", "tree", "orch.round"]).exits(1);
    assert!(round.stdout.contains("does `orch.round` run itself?"), "{round:?}");
}

#[test]
fn an_interruption_stops_the_job_that_is_on_its_way() {
    let lab = Lab::up(1, 2);
    tree(&lab);
    lab.write(
        "states/orch/slow.zy",
        "slow:\n  zester.state:\n    - tgt: web-1\n    - sls: [slow]\nthen:\n  zester.state:\n    - tgt: web-2\n    - sls: [mark]\n",
    );
    publish(&lab);
    let mut child = lab.spawn(&["orch", "-C", "tree", "orch.slow", "--output", "json"]);
    await_that("the peel is at it", || root(&lab, "web-1").join("begun").exists());
    let told = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
    assert!(told.unwrap().success());
    await_that("it ends", || child.try_wait().unwrap().is_some());
    let mut text = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    // The report of what was done is printed all the same.
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["status"], "canceled");
    assert_eq!(document["states"][1]["skip_reason"], "cancelled");
    let jid = document["jobs"][0]["jid"].as_str().unwrap();
    let job = lab.run(&["job", "show", jid, "--output", "json"]).exits(3).json();
    assert_eq!(job["status"], "canceled");
    assert_eq!(job["reason"], "the orchestration was interrupted");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!root(&lab, "web-1").join("ended").exists() && !root(&lab, "web-2").join("mark").exists());
}
