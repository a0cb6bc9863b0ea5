//! Asking and running `docker`. What it inspects comes back as JSON.

use crate::{
    Context, Failure,
    provider::{
        Command,
        tool::{failure, run, succeed, tool},
    },
};
use serde_json::Value as Json;
use zester_compiler::types::Seconds;

/// Most bytes of one description.
const DESCRIPTION_LIMIT: usize = 16 * 1024 * 1024;

/// A command of `docker`. A daemon without root is asked by the user whose it is: `runas`.
pub(super) fn docker<S: Into<String>>(cx: &Context, words: impl IntoIterator<Item = S>) -> Command {
    let mut command = tool("docker", words);
    command.runas = cx.runas.as_ref().map(ToString::to_string);
    command
}

/// Fewest digits of an id that stand for it: what is shorter is a name that happens to look like one.
const ID_DIGITS: usize = 12;

/// What the daemon knows of a thing; `kind` is `container`, `image`, `network` or `volume`. `None` where there is none, and in a test run whose daemon
/// an earlier state may install or start.
pub(super) fn inspect(cx: &Context, kind: &str, name: &str) -> Result<Option<Json>, Failure> {
    if cx.machine.commands.find("docker").is_none() {
        return if cx.test {
            Ok(None)
        } else {
            Err(Failure::new("this machine has no `docker`; install Docker before its things are set up"))
        };
    }
    let mut command = docker(cx, [kind, "inspect", name]);
    command.output_limit = DESCRIPTION_LIMIT;
    let output = run(cx, command.clone())?;
    if !output.success() {
        let words = output.stderr.to_lowercase();
        let away = ["cannot connect to the docker daemon", "error during connect"];
        if says_there_is_none(kind, &words) || (cx.test && away.iter().any(|phrase| words.contains(phrase))) {
            return Ok(None);
        }
        return Err(Failure::new(failure(&command, &output)));
    }
    let all: Vec<Json> = serde_json::from_str(&output.stdout).map_err(|e| {
        Failure::new(format!("`docker {kind} inspect {name}` answered what is not understood: {e}"))
    })?;
    Ok(all.into_iter().next().filter(|thing| is_named(kind, thing, name)))
}

/// Whether these words of `docker`, in small letters, say that there is no such thing, rather than that nobody could be asked.
fn says_there_is_none(kind: &str, words: &str) -> bool {
    let phrases = [format!("no such {kind}"), "no such object".to_owned()];
    phrases.iter().any(|phrase| words.contains(phrase))
        || (words.contains(kind) && (words.contains(" not found") || words.contains(" not known")))
}

/// Whether it is this thing that was found: `docker` also takes the beginning of an id, so that a container `db` would be any whose id begins with it.
fn is_named(kind: &str, thing: &Json, name: &str) -> bool {
    let id = text(thing, "/Id").trim_start_matches("sha256:");
    if !id.starts_with(name) || name.len() >= ID_DIGITS {
        return true;
    }
    let named = |reference: &str| {
        let last = reference.rsplit('/').next().unwrap_or(reference);
        last.split([':', '@']).next() == Some(name)
    };
    match kind {
        "image" => ["/RepoTags", "/RepoDigests"]
            .iter()
            .any(|path| super::rows::texts(thing.pointer(path)).iter().any(|reference| named(reference))),
        _ => text(thing, "/Name").trim_start_matches('/') == name,
    }
}

/// Has the daemon do something.
pub(super) fn act<S: Into<String>>(cx: &Context, words: impl IntoIterator<Item = S>) -> Result<(), Failure> {
    succeed(cx, docker(cx, words))?;
    Ok(())
}

/// Ends a container, in its time if one is said.
pub(super) fn stop(cx: &Context, name: &str, time: Option<Seconds>) -> Result<(), Failure> {
    // Newer versions call the long option by another name.
    let time = time.map(|Seconds(seconds)| format!("-t={}", whole_seconds(seconds)));
    act(cx, ["stop".to_owned()].into_iter().chain(time).chain([name.to_owned()]))
}

/// Refuses what is no name of a container, a network or a volume.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), Failure> {
    let good = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let short = name.len() < 2 && what != "network";
    if short || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(good) {
        return Err(Failure::new(format!(
            "`{}` is not the name of a {what}: those have at least two letters, digits, `_`, `.` and `-`, and begin with a letter or a digit",
            name.escape_debug()
        )));
    }
    Ok(())
}

/// Refuses what is no reference of an image.
pub(super) fn check_image(image: &str) -> Result<(), Failure> {
    let good = |c: char| c.is_ascii_alphanumeric() || "_.-/:@".contains(c);
    if !image.starts_with(|c: char| c.is_ascii_alphanumeric()) || !image.chars().all(good) {
        return Err(Failure::new(format!(
            "`{}` is not the name of an image such as `nginx:1.27` or `registry.example/app@sha256:…`",
            image.escape_debug()
        )));
    }
    Ok(())
}

/// A text of a description; empty where there is none.
pub(super) fn text<'j>(of: &'j Json, path: &str) -> &'j str {
    of.pointer(path).and_then(Json::as_str).unwrap_or_default()
}

/// The beginning of an id, as people read them.
pub(super) fn short(id: &str) -> String {
    id.trim_start_matches("sha256:").chars().take(12).collect()
}

/// Seconds as an option has them: whole ones.
pub(super) fn whole_seconds(seconds: f64) -> u64 {
    seconds.clamp(0.0, 1e9).ceil() as u64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

    /// What a made-up daemon has, by kind and name: `container web`.
    pub(in super::super) type Things = BTreeMap<String, Json>;

    /// A machine whose daemon has these things, and which `change` changes when it is told something.
    pub(in super::super) fn machine(
        things: &[(&str, Json)],
        change: impl Fn(&str, &mut Things) -> Result<(), String> + Send + Sync + 'static,
    ) -> FakeMachine {
        let machine = FakeMachine::new();
        let things: Things = things.iter().map(|(name, json)| ((*name).to_owned(), json.clone())).collect();
        let things = Arc::new(Mutex::new(things));
        machine.commands.on("docker ", move |_, line| {
            let mut things = things.lock().unwrap();
            let line = line.strip_prefix("docker ").unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            if let [kind, "inspect", name] = words[..] {
                return match things.get(&format!("{kind} {name}")) {
                    Some(thing) => Output { stdout: format!("[{thing}]\n"), ..Output::default() },
                    None => Output {
                        status: 1,
                        stdout: "[]\n".to_owned(),
                        stderr: format!("Error response from daemon: No such {kind}: {name}\n"),
                        ..Output::default()
                    },
                };
            }
            let ended = |name: &str, part: &str| things[&format!("container {name}")].pointer(part).cloned();
            match words[..] {
                ["wait", name] => {
                    let status = ended(name, "/State/ExitCode").unwrap();
                    return Output { stdout: format!("{status}\n"), ..Output::default() };
                }
                ["logs", .., name] => {
                    let words = ended(name, "/Logs").unwrap_or_default();
                    let stdout = words.as_str().unwrap_or_default().to_owned();
                    return Output { stdout, ..Output::default() };
                }
                _ => {}
            }
            if let ["ps", .., filter] = words[..] {
                let network = filter.strip_prefix("--filter=network=").unwrap();
                let all = things[&format!("network {network}")]["Containers"].as_object().unwrap();
                let lines = all.iter().map(|(id, one)| format!("{id} {}\n", one["Name"].as_str().unwrap()));
                return Output { stdout: lines.collect(), ..Output::default() };
            }
            match change(line, &mut things) {
                Ok(()) => Output::default(),
                Err(stderr) => Output { status: 1, stderr, ..Output::default() },
            }
        });
        machine
    }

    #[test]
    fn names_are_names() {
        assert!(
            check_name("container", "web-1").is_ok() && check_image("r.example:5000/a/b@sha256:00").is_ok()
        );
        for odd in ["", "a", "-rm", "a b", "a/b"] {
            assert!(check_name("container", odd).is_err(), "{odd}");
        }
        for odd in ["", "--help", "a b", "$x"] {
            assert!(check_image(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn the_beginning_of_an_id_is_no_name() {
        let id = "db0123456789abcdef";
        let is = |kind: &str, thing: Json, name: &str| is_named(kind, &thing, name);
        assert!(!is("container", serde_json::json!({"Id": id, "Name": "/web"}), "db"));
        assert!(is("container", serde_json::json!({"Id": id, "Name": "/db"}), "db"));
        assert!(is("container", serde_json::json!({"Id": id, "Name": "/web"}), "db0123456789"));
        let image = |tag: &str| serde_json::json!({"Id": format!("sha256:{id}"), "RepoTags": [tag], "RepoDigests": []});
        assert!(!is("image", image("web:1"), "db"));
        assert!(is("image", image("r.example/x/db:latest"), "db"));
    }

    #[test]
    fn only_the_daemon_says_that_there_is_none() {
        for (kind, words) in [
            ("container", "Error: No such container: web"),
            ("network", "Error response from daemon: network web not found"),
            ("volume", "Error response from daemon: get web: no such volume"),
            ("image", "Error: web: image not known"),
        ] {
            assert!(says_there_is_none(kind, &words.to_lowercase()), "{words}");
        }
        for words in [
            "error during connect: Get http://x: dial tcp: lookup x: no such host",
            "dial unix /run/docker.sock: connect: no such file or directory",
            "context \"x\": context not found",
        ] {
            assert!(!says_there_is_none("container", words), "{words}");
        }
    }

    #[test]
    fn a_daemon_that_is_away_is_a_failure_of_an_apply_alone() {
        let machine = FakeMachine::new();
        let words = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n";
        machine.commands.on("docker", move |_, _| Output {
            status: 1,
            stdout: "[]\n".to_owned(),
            stderr: words.to_owned(),
            ..Output::default()
        });
        let cx = machine.context();
        let failure = inspect(&cx, "image", "x").unwrap_err().message;
        assert!(failure.contains("Is the docker daemon running?"), "{failure}");
        assert_eq!(inspect(&Context { test: true, ..cx }, "image", "x").unwrap(), None);
        machine.commands.without("docker");
        assert!(inspect(&machine.context(), "image", "x").unwrap_err().message.contains("install Docker"));
    }
}
