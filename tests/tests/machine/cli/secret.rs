//! `zester secret`: in place and byte for byte, with keys that fit and keys that do not; and what needs a key to run.

use std::{
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    process::Stdio,
};
use zester_tests::command::{Finished, Scratch};

const SETTINGS: &str = "# who may\ndb:\n  password: !encrypted hunter2 # why\n  port: 5432\n  keys:\n    - !encrypted \"two\"\n    - plain\n  pem: !encrypted |\n    -----BEGIN\n    x\n    -----END\n\
{% if grains.os_family %}\n  url: !encrypted 'a {% raw %}'\n{% endif %}\n";

fn tree() -> Scratch {
    let settings = SETTINGS.replace("a {% raw %}", "a b");
    let tree = Scratch::new(&[
        ("settings/top.zy", "base:\n  '*': [db]\n"),
        ("settings/db.zy", &settings),
        (
            "states/app.zy",
            "ROOT/x:\n  file.managed:\n    - contents: {{ settings.db.password }} {{ settings.db['keys'][0] }}\n    - mode: '0600'\n",
        ),
    ]);
    tree.run(&["secret", "keygen", "../one"]).exits(0);
    tree.run(&["secret", "keygen", "../two"]).exits(0);
    tree
}

fn read(tree: &Scratch, path: &str) -> String {
    std::fs::read_to_string(tree.project().join(path)).unwrap()
}

fn with_input(tree: &Scratch, args: &[&str], input: &str) -> Finished {
    let mut command = tree.command(args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Finished {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn sealing_changes_the_secrets_and_nothing_else() {
    let tree = tree();
    let before = read(&tree, "settings/db.zy");
    let public = tree.run(&["secret", "keygen", "../three"]).exits(0).stdout;
    assert!(public.starts_with('X') && public.trim().len() == 56, "{public}");
    let mode = std::fs::metadata(tree.project().join("../three")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A key is never written over.
    assert!(tree.run(&["secret", "keygen", "../three"]).exits(2).stderr.contains("three"));

    std::fs::set_permissions(tree.project().join("settings/db.zy"), PermissionsExt::from_mode(0o640))
        .unwrap();
    symlink("db.zy", tree.project().join("settings/link.zy")).unwrap();
    let sealed = tree.run(&["secret", "seal", "settings/link.zy", "--key", public.trim()]).exits(0);
    assert!(sealed.stderr.contains("4 secrets sealed"), "{sealed:?}");
    let after = read(&tree, "settings/db.zy");
    assert_eq!(after.matches("ENC[nkey,").count(), 4);
    for gone in ["hunter2", "two", "BEGIN", "a b"] {
        assert!(!after.contains(gone), "{after}");
    }
    for kept in ["# who may\n", " # why\n  port: 5432\n", "    - plain\n", "{% if grains.os_family %}\n"] {
        assert!(after.contains(kept), "{after}");
    }
    let metadata = std::fs::symlink_metadata(tree.project().join("settings/link.zy")).unwrap();
    assert!(metadata.is_symlink());
    let mode = std::fs::metadata(tree.project().join("settings/db.zy")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    // Once more there is nothing to do.
    assert!(
        tree.run(&["secret", "seal", "settings/db.zy", "--key", public.trim()])
            .exits(0)
            .stderr
            .contains("0 secrets")
    );
    assert_eq!(read(&tree, "settings/db.zy"), after);

    let shown = tree.run(&["secret", "open", "settings/db.zy", "--key", "../three"]).exits(0).stdout;
    let plain = before
        .replace("!encrypted hunter2", "!encrypted \"hunter2\"")
        .replace(
            "!encrypted |\n    -----BEGIN\n    x\n    -----END\n",
            "!encrypted \"-----BEGIN\\nx\\n-----END\\n\"\n",
        )
        .replace("'a b'", "\"a b\"");
    assert_eq!(shown, plain);
    assert_eq!(read(&tree, "settings/db.zy"), after);
    tree.run(&["secret", "open", "--in-place", "settings/db.zy", "--secret-key", "../three"]).exits(0);
    assert_eq!(read(&tree, "settings/db.zy"), plain);
}

#[test]
fn a_run_needs_the_key_and_a_look_does_not() {
    let tree = tree();
    tree.run(&["secret", "seal", "settings/db.zy", "--key", "../one"]).exits(0);
    tree.run(&["check"]).exits(0);
    tree.run(&["plan", "app"]).exits(0);
    assert_eq!(tree.run(&["settings", "get", "db.password"]).exits(0).stdout.trim(), "***");
    let refused = tree.apply(&["app"]).exits(1);
    assert!(refused.stderr.contains("there is no key to open it with"), "{refused:?}");
    assert!(refused.stderr.contains("settings/db.zy:3:"), "{refused:?}");
    assert_eq!(tree.made("x"), None);
    let foreign = tree.apply(&["app", "--secret-key", "../two"]).exits(1);
    assert!(foreign.stderr.contains("it was sealed for the key X"), "{foreign:?}");
    tree.apply(&["app", "--secret-key", "../one"]).exits(0);
    assert_eq!(tree.made("x").as_deref(), Some("hunter2 two\n"));
    // The old key opens no more once everything is sealed for the new one.
    tree.run(&["secret", "rotate", "settings/db.zy", "--key", "../one", "--to", "../two"]).exits(0);
    tree.apply(&["app", "--secret-key", "../two"]).exits(0);
    tree.apply(&["app", "--secret-key", "../one"]).exits(1);
    // A saved plan is to be applied, so it needs the secrets too.
    tree.run(&["plan", "app", "--save", "../saved"]).exits(1);
}

#[test]
fn input_may_come_from_a_pipe() {
    let tree = tree();
    let sealed =
        with_input(&tree, &["secret", "seal", "-", "--key", "../one"], "a: !encrypted hunter2\n").exits(0);
    assert!(sealed.stdout.starts_with("a: !encrypted \"ENC[nkey,X"), "{sealed:?}");
    let opened = with_input(&tree, &["secret", "open", "-", "--key", "../one"], &sealed.stdout).exits(0);
    assert_eq!(opened.stdout, "a: !encrypted \"hunter2\"\n");
    let text = with_input(&tree, &["secret", "seal", "--text", "-", "--key", "../one"], "hunter2\n").exits(0);
    let back =
        with_input(&tree, &["secret", "open", "--text", "-", "--key", "../one"], &text.stdout).exits(0);
    assert_eq!(back.stdout, "hunter2\n");
}

#[test]
fn what_cannot_be_done_is_said_and_nothing_is_written() {
    let tree = tree();
    tree.write("settings/bad.zy", "a: !encrypted {{ x }}\n");
    let before = read(&tree, "settings/db.zy");
    let refused =
        tree.run(&["secret", "seal", "settings/db.zy", "settings/bad.zy", "--key", "../one"]).exits(1);
    assert!(
        refused.stderr.contains("text without templates is expected")
            && refused.stderr.contains("nothing is sealed"),
        "{refused:?}"
    );
    assert_eq!(read(&tree, "settings/db.zy"), before);
    for (args, words) in [
        (&["secret", "seal", "settings/db.zy"][..], "there is no key to seal for"),
        (&["secret", "seal", "settings/db.zy", "--key", "Xabc"], "is no public key"),
        (&["secret", "seal", "settings/none.zy", "--key", "../one"], "cannot be read"),
        (&["secret", "open", "settings/db.zy"], "there is no key to open with"),
        (&["secret", "open", "settings/db.zy", "--key", "settings/top.zy"], "settings/top.zy"),
    ] {
        let refused = tree.run(args).exits(2);
        assert!(refused.stderr.contains(words), "{args:?}: {refused:?}");
    }
    // A seed that stands on the command line is not repeated.
    let seed = read(&tree, "../one").trim().to_owned();
    let refused = tree.run(&["secret", "seal", "settings/db.zy", "--key", &seed]).exits(2);
    assert!(!refused.stderr.contains(&seed), "{refused:?}");
    tree.write("settings/damaged.zy", "a: 1\nb: !encrypted \"ENC[nkey,a,b,c]\"\n");
    let damaged = tree.run(&["secret", "open", "settings/damaged.zy", "--key", "../one"]).exits(1);
    assert!(
        damaged.stderr.contains("settings/damaged.zy: line 2: the sealed text is damaged"),
        "{damaged:?}"
    );
    // A key that others can read is not used.
    std::fs::set_permissions(tree.project().join("../one"), PermissionsExt::from_mode(0o644)).unwrap();
    assert!(
        tree.run(&["secret", "open", "settings/db.zy", "--key", "../one"])
            .exits(2)
            .stderr
            .contains("chmod 600")
    );
}
