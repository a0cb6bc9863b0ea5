//! What a peel does by itself and what it is asked: schedule, startup states, basket, health, signals, a second machine with its identity. And
//! what a master does by itself: publishing, nodegroups. Real processes, a cluster of three NATS servers.

use std::{fs, process::Command};
use zester_tests::lab::{Lab, await_that};

fn get(address: &str) -> (u16, String) {
    use std::io::{Read, Write};
    let rest = address.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    (status, text)
}

fn health(lab: &Lab, part: &str, path: &str) -> (u16, String) {
    let status = lab.lab(&["status"]).stdout;
    let line = status.lines().find(|l| l.starts_with(part)).unwrap().to_owned();
    let address = line.split_whitespace().last().unwrap().replace("metrics", path);
    get(&address)
}

#[test]
fn peels_and_masters_work_by_themselves() {
    let lab = Lab::up_with(&["--masters", "2", "--peels", "2", "--nats", "3"]);
    // A master publishes a directory by itself, when it checks.
    let tree = lab.scratch().join("tree");
    let config = lab.directory().join("installation/master/master.yaml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}publish:\n  directory: {}\n  every: 200ms\n", tree.display())).unwrap();
    lab.write("zester.yaml", "nodegroups:\n  front: 'L@web-1'\n");
    lab.write("settings/top.zy", "base:\n  '*': [common]\n");
    lab.write(
        "settings/common.zy",
        "word: !encrypted hush-unmistakable\nbasket_functions:\n  os.family: 5s\nmine_functions:\n  name: [{mine_function: grains.get}, id]\nschedule:\n  tick:\n    function: state.apply\n    args: [tick]\n    seconds: 1\n",
    );
    lab.write("states/top.zy", "base:\n  '*': [site]\n");
    lab.write(
        "states/site.zy",
        "{{ facts.lab_root }}/peers:\n  file.managed:\n    - contents: |\n        {% for peel, name in salt['mine.get']('web-*', 'name') | dictsort %}{{ peel }}={{ name }};{% endfor %}\n        {% for peel, family in basket('*', 'os.family') | dictsort %}{{ peel }};{% endfor %}\n",
    );
    lab.write(
        "states/tick.zy",
        "tick:\n  cmd.run:\n    - name: echo $WORD >> {{ facts.lab_root }}/ticks\n    - env:\n      - WORD: {{ settings.word }}\n",
    );
    lab.write("states/up.zy", "up:\n  cmd.run:\n    - name: echo x >> {{ facts.lab_root }}/starts\n");
    for master in ["master-1", "master-2"] {
        lab.lab(&["kill", master]).exits(0);
        lab.lab(&["start", master]).exits(0);
    }
    await_that("both peels publish", || {
        let all = lab.run(&["basket", "name", "--output", "json"]);
        all.status == 0 && all.json() == serde_json::json!({"web-1": "web-1", "web-2": "web-2"})
    });
    lab.run(&["apply", "-t", "*"]).exits(0);
    let peers = fs::read_to_string(lab.directory().join("web-1/root/peers")).unwrap();
    assert_eq!(peers, "web-1=web-1;web-2=web-2;\nweb-1;web-2;\n");
    assert!(lab.run(&["basket", "nam"]).exits(2).stderr.contains("did you mean `name`?"));
    // The nodegroups of what is published are targets.
    assert!(lab.run(&["N@front", "test.ping"]).exits(0).stdout.contains("1 done"));

    // The schedule runs, offline too, and what came of it is an event.
    let ticks = |peel: &str| {
        fs::read_to_string(lab.directory().join(peel).join("root/ticks")).map_or(0, |t| t.lines().count())
    };
    await_that("it ticks", || ticks("web-1") > 1 && ticks("web-2") > 1);
    let said =
        lab.run(&["event", "watch", "schedule.tick", "--count", "1", "--output", "jsonl"]).exits(0).stdout;
    assert!(said.contains("\"status\":\"done\"") && said.contains("\"entry\":\"tick\""), "{said}");
    for server in ["nats-1", "nats-2", "nats-3"] {
        lab.lab(&["kill", server]).exits(0);
    }
    await_that("the peel notices", || health(&lab, "web-1", "readyz").0 == 503);
    assert_eq!(health(&lab, "web-1", "healthz").0, 200);
    let before = ticks("web-1");
    await_that("it ticks without a network", || ticks("web-1") > before + 1);
    // Started anew with nobody there it has its tree, its secrets and its schedule, all from its own disk.
    lab.lab(&["kill", "web-2"]).exits(0);
    let before = ticks("web-2");
    lab.lab(&["start", "web-2"]).exits(0);
    await_that("it ticks after a start without a network", || ticks("web-2") > before + 1);
    let last = fs::read_to_string(lab.directory().join("web-2/root/ticks")).unwrap();
    assert_eq!(last.lines().last(), Some("hush-unmistakable"));
    for server in ["nats-2", "nats-3"] {
        lab.lab(&["start", server]).exits(0);
    }
    // Two of three are enough.
    await_that("peels answer", || lab.run(&["*", "test.ping", "--timeout", "5s"]).status == 0);
    lab.lab(&["start", "nats-1"]).exits(0);
    let (status, metrics) = health(&lab, "web-1", "metrics");
    assert_eq!(status, 200);
    assert!(
        metrics.contains("\nzester_nats_connected 1\n")
            && metrics.contains("zester_peel_jobs_total{status=\"done\"}")
    );
    let (_, metrics) = health(&lab, "master-1", "metrics");
    assert!(metrics.contains("\nzester_master_peels 2\n"), "{metrics}");
    await_that("the masters are ready", || health(&lab, "master-1", "readyz").0 == 200);

    // A tree with errors is not published; the old one stays in force.
    lab.write("states/site.zy", "x:\n  file.manged: []\n");
    let logs = || {
        ["master-1", "master-2"]
            .map(|m| fs::read_to_string(lab.directory().join(format!("{m}.log"))).unwrap_or_default())
            .concat()
    };
    await_that("a master says why", || logs().contains("states/site.zy:2:8: "));
    lab.run(&["apply", "-t", "*"]).exits(0);

    // States at the start; new facts at a signal.
    fs::write(lab.directory().join("web-1/peel.yaml"), "startup_states: [up]\n").unwrap();
    lab.lab(&["kill", "web-1"]).exits(0);
    lab.lab(&["start", "web-1"]).exits(0);
    let starts = lab.directory().join("web-1/root/starts");
    await_that("the states of the start are applied", || starts.exists());
    let facts = lab.directory().join("web-2/facts.yaml");
    let text = fs::read_to_string(&facts).unwrap();
    fs::write(&facts, format!("{text}rack: b5\n")).unwrap();
    let pid = lab.lab(&["status", "--output", "json"]).json()["parts"]["web-2"].to_string();
    assert!(Command::new("kill").args(["-s", "HUP", &pid]).status().unwrap().success());
    await_that("the fact is known", || lab.run(&["G@rack:b5", "test.ping"]).status == 0);
    fs::write(&facts, format!("{text}rack: b6\n")).unwrap();
    lab.run(&["web-2", "saltutil.refresh_grains"]).exits(0);
    await_that("the next one too", || lab.run(&["G@rack:b6", "test.ping"]).status == 0);
}

#[test]
fn two_machines_with_one_identity_are_told_apart() {
    let lab = Lab::up(1, 1);
    let first = lab.stranger("db-1", &[]);
    first.says("waits for an operator");
    lab.run(&["enroll", "approve", "db-1"]).exits(0);
    first.says("the peel is ready");
    await_that("db-1 answers", || lab.run(&["db-1", "test.ping"]).status == 0);
    // The disk is copied, but not the journal's lock.
    let (from, to) = (lab.scratch().join("db-1"), lab.scratch().join("copy"));
    assert!(Command::new("cp").arg("-a").arg(&from).arg(&to).status().unwrap().success());
    let second = lab.stranger_in("copy", "db-1");
    for machine in [&first, &second] {
        machine.says("another machine uses this peel's identity");
    }
    let refused = lab.run(&["db-1", "test.ping", "--timeout", "10s"]).exits(3).stdout;
    assert!(refused.contains("another machine uses this peel's identity"), "{refused}");
    lab.run(&["web-1", "test.ping"]).exits(0);
}
