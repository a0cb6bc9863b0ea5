//! A fleet of real processes: who becomes a peel and who stops being one, credentials that end, secrets.

use std::{fs, path::Path, time::Duration};
use zester_tests::lab::{Lab, await_that};

#[test]
fn a_stranger_is_let_in_by_an_operator_and_cut_off_for_good() {
    let lab = Lab::up(1, 1);
    let stranger = lab.stranger("db-1", &[]);
    stranger.says("waits for an operator");
    let listed = lab.run(&["enroll", "list", "--pending"]).exits(0).stdout;
    let fingerprint = listed.split_whitespace().nth(2).unwrap().to_owned();
    assert!(listed.starts_with("db-1 ") && stranger.said().contains(&fingerprint), "{listed}");
    // A fingerprint that is not there approves nobody.
    let wrong = lab.run(&["enroll", "approve", "db-1", "0000-0000"]).exits(2);
    assert!(wrong.stderr.contains(&fingerprint), "{wrong:?}");
    lab.run(&["enroll", "approve", "db-1", &fingerprint[..9], "--group", "database"]).exits(0);
    await_that("db-1 answers", || lab.run(&["db-1", "test.ping"]).status == 0);
    let shown = lab.run(&["enroll", "show", "db-1", "--output", "json"]).exits(0).json();
    assert_eq!(shown["machine"]["keys"][0]["status"], "approved");
    assert_eq!(shown["machine"]["keys"][0]["decided_by"], "lab");

    lab.run(&["enroll", "revoke", "db-1", "--reason", "sold"]).exits(0);
    stranger.says("they were revoked");
    await_that("nobody knows db-1", || lab.run(&["db-1", "test.ping", "--timeout", "2s"]).status == 5);
    // A restart of the server forgets nothing.
    lab.lab(&["kill", "nats"]).exits(0);
    lab.lab(&["start", "nats"]).exits(0);
    await_that("web-1 is back", || lab.run(&["web-1", "test.ping", "--timeout", "2s"]).status == 0);
    lab.run(&["db-1", "test.ping", "--timeout", "2s"]).exits(5);
    // Nor does asking again help.
    drop(stranger);
    fs::remove_file(lab.scratch().join("db-1/peel.creds")).unwrap();
    let again = lab.stranger("db-1", &[]);
    again.says("the masters reject this machine: sold");
    let unknown = lab.run(&["enroll", "approve", "db-2"]).exits(2);
    assert!(unknown.stderr.contains("no machine has asked to be `db-2`"), "{unknown:?}");
}

#[test]
fn credentials_are_renewed_before_they_end() {
    let lab = Lab::up(1, 1);
    let config = lab.directory().join("installation/master/master.yaml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}  lifetime: 10s\n")).unwrap();
    lab.lab(&["kill", "master-1"]).exits(0);
    lab.lab(&["start", "master-1"]).exits(0);
    let short = lab.stranger("web-7", &[]);
    short.says("the peel is ready");
    short.says("the credentials are renewed");
    // Longer than the first ones were good.
    std::thread::sleep(Duration::from_secs(10));
    await_that("web-7 answers", || lab.run(&["web-7", "test.ping", "--timeout", "5s"]).status == 0);
    let renewed = short.said().matches("the credentials are renewed").count();
    assert!((2..=6).contains(&renewed), "{}", short.said());
}

#[test]
fn secrets_reach_who_needs_them_and_nobody_else() {
    let lab = Lab::up(2, 2);
    lab.write("zester.yaml", "{}\n");
    lab.write("states/top.zy", "base:\n  'web-1': [db]\n  'web-2': [other]\n");
    lab.write(
        "states/db.zy",
        "{{ facts.lab_root }}/password:\n  file.managed:\n    - contents: {{ settings.db.password }}\n    - mode: '0600'\n",
    );
    lab.write("states/other.zy", "{{ facts.lab_root }}/other:\n  file.managed:\n    - contents: x\n");
    lab.write("settings/top.zy", "base:\n  'web-1': [db]\n");
    lab.write("settings/db.zy", "db:\n  password: !encrypted first-hunter\n");
    lab.run(&["publish", "-C", "tree"]).exits(0);
    let applied = lab.run(&["apply", "-t", "web-*"]).exits(0);
    assert!(!format!("{applied:?}").contains("first-hunter"), "{applied:?}");
    let file = lab.directory().join("web-1/root/password");
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), "first-hunter");

    // Only the value changes: a new revision, though no published file is another.
    lab.write("settings/db.zy", "db:\n  password: !encrypted second-hunter\n");
    let published = lab.run(&["publish", "-C", "tree"]).exits(0).stdout;
    assert!(published.starts_with("revision 2"), "{published}");
    assert!(lab.run(&["publish", "-C", "tree"]).exits(0).stdout.contains("has it already"));
    lab.run(&["apply", "-t", "web-1"]).exits(0);
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), "second-hunter");

    // After a restart it has them, from its own disk.
    lab.lab(&["kill", "web-1"]).exits(0);
    lab.lab(&["kill", "master-1"]).exits(0);
    fs::remove_file(&file).unwrap();
    lab.lab(&["start", "web-1"]).exits(0);
    await_that("web-1 applies again", || lab.run(&["apply", "-t", "web-1"]).status == 0);
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), "second-hunter");
}

#[test]
fn custom_modules_travel_with_the_tree() {
    let lab = Lab::up(1, 1);
    lab.write("zester.yaml", "{}\n");
    lab.write(
        "states/_modules/site.star",
        "def put_check(name: str, text: str) -> dict:\n    old = file_read(name) if file_exists(name) else None\n    return {} if old == text else {\"changes\": {\"text\": text}}\n\ndef put(name: str, text: str) -> dict:\n    file_write(name, text)\n    return {\"changes\": {\"text\": text}}\n\ndef family(prefix: str = \"\") -> str:\n    return prefix + facts[\"os\"][\"family\"]\n",
    );
    lab.write("states/top.zy", "base:\n  '*': [site]\n");
    lab.write(
        "states/site.zy",
        "{{ facts.lab_root }}/word:\n  site.put:\n    - text: {{ salt['site.family']('is ') }}\n",
    );
    lab.run(&["publish", "-C", "tree"]).exits(0);
    let first = lab.run(&["apply", "-t", "*"]).exits(0);
    let word = fs::read_to_string(lab.directory().join("web-1/root/word")).unwrap();
    assert!(word.starts_with("is ") && word.len() > 4, "{word}");
    let second = lab.run(&["apply", "-t", "*"]).exits(0);
    assert!(
        first.stdout.contains("1 changed") && second.stdout.contains("1 unchanged"),
        "{first:?} {second:?}"
    );
    // Where the project is at hand, the function is known before anything is sent.
    let said = lab.run(&["web-1", "site.family", "-C", "tree"]).exits(0);
    assert!(said.stdout.contains(word.trim_start_matches("is ")), "{said:?}");
    assert!(lab.run(&["web-1", "site.famly", "-C", "tree"]).status != 0);
    // Elsewhere the peels are asked, which know the published tree.
    let said = lab.run(&["web-1", "site.family"]).exits(0);
    assert!(said.stdout.contains(word.trim_start_matches("is ")), "{said:?}");
    let said = lab.run(&["web-1", "site.famly"]);
    assert!(said.status != 0 && said.stdout.contains("there is no function `site.famly`"), "{said:?}");
    let said = lab.run(&["web-1", "tets.ping"]);
    assert!(said.status != 0 && said.stderr.contains("did you mean `test.ping`?"), "{said:?}");
}

#[test]
fn no_secret_lies_open_anywhere() {
    let lab = Lab::up(1, 1);
    lab.write("zester.yaml", "{}\n");
    lab.write("states/top.zy", "base:\n  '*': [fails]\n");
    lab.write("states/fails.zy", "fails:\n  cmd.run:\n    - name: echo $TOKEN; exit 3\n    - env:\n      - TOKEN: {{ settings.token }}\n");
    lab.write("settings/top.zy", "base:\n  '*': [token]\n");
    lab.write("settings/token.zy", "token: !encrypted unmistakable-hunter\n");
    lab.run(&["publish", "-C", "tree"]).exits(0);
    // It fails, and fails with the secret in its output.
    let said = lab.run(&["apply", "-t", "*", "--output", "json"]).exits(3);
    assert!(said.stdout.contains("***"), "{said:?}");
    let all =
        [said.stdout, said.stderr, lab.run(&["job", "list", "--output", "json"]).exits(0).stdout].concat();
    assert!(!all.contains("unmistakable-hunter"), "{all}");
    search(&lab.directory(), b"unmistakable-hunter");
}

/// The seed's table of what is stored, as an operator sees it.
#[test]
fn what_is_stored_and_how_long() {
    let lab = Lab::up(1, 1);
    let (day, ever) = (86_400, None);
    let seed = [
        ("facts", "kv", ever, Some(5)),
        ("settings-files", "kv", ever, Some(3)),
        ("secrets", "kv", ever, Some(3)),
        ("basket", "kv", ever, Some(1)),
        ("jobs", "kv", Some(7 * day), Some(10)),
        ("job-returns", "kv", Some(7 * day), Some(1)),
        ("master-heartbeat", "kv", Some(15), Some(1)),
        ("job-events", "stream", Some(7 * day), None),
    ];
    let document = lab.run(&["kv", "--output", "json"]).exits(0).json();
    for (name, kind, age, history) in seed {
        let row = document["streams"].as_array().unwrap().iter().find(|s| s["name"] == name).unwrap();
        assert_eq!((row["kind"].as_str(), row["storage"].as_str()), (Some(kind), Some("file")), "{name}");
        assert_eq!((row["max_age_s"].as_i64(), row["history"].as_i64()), (age, history), "{name}");
    }
    lab.run(&["web-1", "test.ping"]).exits(0);
    let keys = lab.run(&["kv", "job-returns"]).exits(0).stdout;
    assert!(keys.trim().ends_with(".web-1"), "{keys}");
    let value = lab.run(&["kv", "job-returns", keys.trim(), "--output", "json"]).exits(0).json();
    assert_eq!(value["value"]["outcome"]["value"], true);
    let wrong = lab.run(&["kv", "fact"]).exits(2);
    assert!(wrong.stderr.contains("did you mean `facts`?"), "{wrong:?}");
    // Sealed or not, secrets are nobody's to read but the peel's.
    let refused = lab.run(&["kv", "secrets", "web-1.0"]).exits(2);
    assert!(refused.stderr.contains("do not allow it"), "{refused:?}");

    let well = lab.run(&["doctor", "--output", "json"]).exits(0).json();
    assert_eq!(well["ok"], true);
    let installation = lab.directory().join("installation");
    lab.run(&["auth", "lint", installation.to_str().unwrap()]).exits(0);
    let facts = lab.run(&["facts", "-t", "*", "id", "--output", "json"]).exits(0).json();
    assert_eq!(facts, serde_json::json!({"web-1": "web-1"}));
    lab.lab(&["kill", "master-1"]).exits(0);
    await_that("the heartbeat is over", || {
        let sick = lab.run(&["doctor"]);
        sick.status == 1 && sick.stdout.contains("no master runs")
    });
}

#[test]
fn a_job_is_tried_again_where_it_did_not_succeed() {
    let lab = Lab::up(1, 2);
    lab.lab(&["kill", "web-2"]).exits(0);
    let first = lab.run(&["web-*", "test.ping", "--timeout", "2s", "--output", "json"]).exits(4).json();
    lab.lab(&["start", "web-2"]).exits(0);
    await_that("web-2 is back", || lab.run(&["web-2", "test.ping", "--timeout", "1s"]).status == 0);
    let jid = first["jid"].as_str().unwrap();
    let again = lab.run(&["job", "retry", jid, "--output", "json"]).exits(0).json();
    let peels: Vec<&String> = again["peels"].as_object().unwrap().keys().collect();
    assert_eq!(peels, ["web-2"]);
}

/// Looks through every file of the lab: the server's streams, logs, journals, copies of the tree.
fn search(directory: &Path, secret: &[u8]) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, secret);
        } else if let Ok(bytes) = fs::read(&path) {
            assert!(!bytes.windows(secret.len()).any(|w| w == secret), "{}", path.display());
        }
    }
}
