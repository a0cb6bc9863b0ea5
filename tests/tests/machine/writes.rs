//! Files are whole, whatever happens to the process that writes them.

use std::{fs, process::Command, time::Duration};

const WRITER: &str = env!("CARGO_BIN_EXE_writer");

/// Whether a content is one of the two that the writer writes.
fn is_whole(content: &[u8]) -> bool {
    let all = |letter: u8, count: usize| {
        content.len() == count + 1
            && content.ends_with(b"\n")
            && content.get(..count).is_some_and(|body| body.iter().all(|b| *b == letter))
    };
    all(b'a', 65_536) || all(b'b', 32_768)
}

#[test]
fn a_killed_writer_leaves_the_old_or_the_new_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let (mut seen_a, mut seen_b) = (0, 0);
    for round in 0..60_u64 {
        let mut writer = Command::new(WRITER).arg("loop").arg(&path).spawn().unwrap();
        // Until it is at work at all; then it is killed at another moment each time.
        while !path.exists() {
            assert!(writer.try_wait().unwrap().is_none(), "the writer ended by itself");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(5_000 + round * 331));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let content = fs::read(&path).unwrap();
        assert!(
            is_whole(&content),
            "round {round}: {} bytes, neither the old nor the new content",
            content.len()
        );
        match content.first() {
            Some(b'a') => seen_a += 1,
            _ => seen_b += 1,
        }
    }
    assert!(
        seen_a > 0 && seen_b > 0,
        "the writer was always killed at the same place: {seen_a} and {seen_b}"
    );
}

#[test]
fn a_full_disk_leaves_the_old_file_and_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size=256k none {dir} || exit 99
         {WRITER} once {dir}/file a 1000 || exit 98
         {WRITER} once {dir}/file b 1000000 && exit 97
         head -c 2 {dir}/file; wc -c < {dir}/file; ls -A {dir}",
        dir = dir.path().display()
    );
    let run = |options: &[&str]| Command::new("unshare").args(options).args(["sh", "-c", &script]).output();
    let output = match run(&["--mount"]) {
        Ok(output)
            if output.status.success()
                || output.status.code() == Some(98)
                || output.status.code() == Some(97) =>
        {
            output
        }
        // Without root a name space of one's own may do.
        _ => match run(&["--mount", "--map-root-user"]) {
            Ok(output) if output.status.code() != Some(99) && output.status.code() != Some(1) => output,
            _ => {
                println!("skipped: no file system of our own can be mounted here");
                return;
            }
        },
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    let message = format!(
        "`{}/file` cannot be written and is left as it was: No space left on device",
        dir.path().display()
    );
    assert!(output.status.success(), "{said}");
    assert!(lines.first().is_some_and(|l| l.starts_with(&message)), "{said}");
    assert_eq!(lines.get(1..), Some(["aa1001", "file"].as_slice()), "{said}");
}

#[test]
fn a_planted_link_leads_nowhere() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let victim = dir.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    // Names that a careless writer would use for its temporary file.
    for name in [".file", "file.tmp", "file.new", ".file.zester", "file~", ".file.swp"] {
        symlink(&victim, dir.path().join(name)).unwrap();
    }
    let path = dir.path().join("file");
    let status = Command::new(WRITER).arg("once").arg(&path).args(["a", "3"]).status().unwrap();
    assert!(status.success());
    assert_eq!(fs::read(&path).unwrap(), b"aaa\n");
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 8);
}
