//! `docker_container.run`

use super::{
    client::{act, check_name, docker, inspect, text},
    recipe::Recipe,
};
use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    provider::{
        Output,
        tool::{self, run},
    },
};
use serde_json::Value as Json;
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// A container is made and runs to its end, as `cmd.run` runs a command: what it wrote and its exit status are the changes.
///
/// It runs each time, unless `creates`, `onlyif`, `unless` or `onchanges` say otherwise; the container stays, unless `auto_remove` says otherwise.
///
/// ```yaml
/// build the package:
///   docker_container.run:
///     - name: builder
///     - image: builder:2
///     - command: /scripts/build.sh 1.0
///     - binds: ["/srv/builds:/build"]
///     - replace: true
///     - creates: /srv/builds/app-1.0.tar
/// ```
#[derive(Arguments)]
#[state("docker_container.run", watches)]
pub(crate) struct Run {
    /// The container.
    #[arg(primary)]
    name: String,
    /// What it is made of.
    #[arg(flatten)]
    recipe: Recipe,
    /// Whether nobody waits for its end. What comes of it is not known then.
    #[arg(default = false)]
    bg: bool,
    /// Whether an exit status other than 0 is a failure.
    #[arg(default = true)]
    failhard: bool,
    /// Whether a container of that name that there is already is removed before.
    #[arg(default = false)]
    replace: bool,
    /// Whether `replace` removes one that runs, too.
    #[arg(default = false)]
    force: bool,
    /// Whether its output is told.
    #[arg(default = true)]
    stdout: bool,
    /// Whether its error output is told.
    #[arg(default = true)]
    stderr: bool,
    /// Whether each line has its time.
    #[arg(default = false)]
    timestamps: bool,
    /// How many of the last lines are told; `all` for all of them.
    #[arg(ty = Type::Int { min: 0, max: i64::MAX }.or(Type::Enum(vec!["all".into()])))]
    tail: Option<Value>,
    /// The time that lines are told from, as `2024-01-02T13:23:37Z` or `10m`.
    since: Option<String>,
}

impl Run {
    /// What it wrote. Some drivers of logs keep nothing, which is no failure of the container.
    fn wrote(&self, cx: &Context) -> Result<Output, Failure> {
        let mut words = vec!["logs".to_owned()];
        words.extend(self.timestamps.then(|| "--timestamps".to_owned()));
        words.extend(self.tail.as_ref().map(|lines| format!("--tail={lines}")));
        words.extend(self.since.as_ref().map(|time| format!("--since={time}")));
        words.push(self.name.clone());
        let output = run(cx, docker(cx, words))?;
        Ok(if output.success() { output } else { Output::default() })
    }

    /// Waits for its end; gives its exit status.
    fn ended(&self, cx: &Context) -> Result<i64, Failure> {
        let name = &self.name;
        let wait = docker(cx, ["wait", name]);
        let output = run(cx, wait.clone())?;
        if output.timed_out {
            // Nobody waits for it any more, and it is not to go on.
            let ended = act(cx, ["kill", name]).and_then(|()| self.removed(cx));
            let left = ended.err().map(|failure| format!("; {}", failure.message)).unwrap_or_default();
            return Err(Failure::new(format!(
                "the container `{name}` took too long and was ended; `timeout` is how long it may take{left}"
            )));
        }
        if !output.success() {
            return Err(Failure::new(tool::failure(&wait, &output)));
        }
        output
            .stdout
            .trim()
            .parse()
            .map_err(|_| Failure::new(format!("`docker wait {name}` answered what is no exit status")))
    }

    /// Removes it where it was not to stay.
    fn removed(&self, cx: &Context) -> Result<(), Failure> {
        if self.recipe.removes_itself() { act(cx, ["rm", &self.name]) } else { Ok(()) }
    }

    /// Runs it and judges.
    fn execute(&self, cx: &Context) -> Result<Outcome, Failure> {
        let name = &self.name;
        // One that removed itself would take its words and its exit status with it.
        self.recipe.create(cx, name, !self.bg)?;
        if let Err(failure) = act(cx, ["start", name]) {
            // One that never ran is in the way of the next run. That it cannot be removed says nothing new.
            let _ = run(cx, docker(cx, ["rm", "--force", name]));
            return Err(failure);
        }
        if self.bg {
            let comment = Some(format!("the container `{name}` was started and goes on in the background"));
            return Ok(Outcome { comment, ..Outcome::default() });
        }
        let status = self.ended(cx)?;
        let output = self.wrote(cx)?;
        let text = |told: bool, text: &str| {
            if told { text.trim_end_matches('\n').to_owned() } else { String::new() }
        };
        let (stdout, stderr) = (text(self.stdout, &output.stdout), text(self.stderr, &output.stderr));
        let words = [&stderr, &stdout].into_iter().find(|words| !words.is_empty());
        let said = words.map(|words| format!(": {}", tool::tail(words))).unwrap_or_default();
        let changes = Changes::from_iter([
            ("retcode".to_owned(), status.into()),
            ("stdout".to_owned(), stdout.as_str().into()),
            ("stderr".to_owned(), stderr.as_str().into()),
        ]);
        self.removed(cx).map_err(|failure| failure.with_changes(changes.clone()))?;
        if self.failhard && status != 0 {
            let message = format!("the container `{name}` ended with {status}{said}");
            return Err(Failure::new(message).with_changes(changes));
        }
        let comment = Some(format!("the container `{name}` ran and ended with {status}"));
        Ok(Outcome { changes, comment, unchanged: false })
    }
}

impl State for Run {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("container", name)?;
        let container = inspect(cx, "container", name)?;
        let image = self.recipe.find_image(cx)?;
        self.recipe.read(image.as_ref(), None)?;
        let mut changes = Changes::new();
        if image.is_none() {
            changes.insert("image".to_owned(), change((), self.recipe.image.as_str()));
        }
        let status = container.as_ref().map(|container| text(container, "/State/Status").to_owned());
        if status.is_some() && !self.replace {
            return Err(Failure::new(format!(
                "there is a container `{name}` already; `replace: true` removes it before, `auto_remove: true` leaves none behind"
            )));
        }
        let is = |path: &str| {
            container.as_ref().and_then(|container| container.pointer(path)).and_then(Json::as_bool)
                == Some(true)
        };
        if is("/State/Running") && !self.force {
            return Err(Failure::new(format!(
                "the container `{name}` runs; `force: true` lets `replace` remove it all the same"
            )));
        }
        changes.insert("state".to_owned(), change(status.clone(), "run"));
        let (pulls, is_there) = (image.is_none(), status.is_some());
        Ok(Plan::change(changes, format!("the container `{name}` is run"), move |cx| {
            if pulls {
                self.recipe.pull(cx)?;
            }
            if is_there {
                let force = self.force.then_some("--force");
                act(cx, ["rm"].into_iter().chain(force).chain([self.name.as_str()]))?;
            }
            self.execute(cx)
        }))
    }

    fn watched(&self, cx: &Context) -> Result<Option<Plan<'_>>, Failure> {
        self.plan(cx).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{client::tests::machine, container::Absent},
        *,
    };
    use crate::provider::fake::FakeMachine;
    use serde_json::json;
    use zester_compiler::types::Arguments;

    /// A daemon whose containers of the image `bad` end with 3, and that cannot start one of the image `broken`.
    fn daemon() -> FakeMachine {
        let images =
            ["good", "bad", "broken"].map(|image| (format!("image {image}"), json!({"Id": "sha256:00"})));
        let images: Vec<(&str, Json)> =
            images.iter().map(|(name, json)| (name.as_str(), json.clone())).collect();
        machine(&images, |line, things| {
            let key = |name: &str| format!("container {name}");
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["pull", "--quiet", image] => {
                    drop(things.insert(format!("image {image}"), json!({"Id": "sha256:00"})));
                }
                ["create", name, .., image] => {
                    let container = json!({"Image": image, "State": {"Status": "created", "Running": false}});
                    things.insert(key(&name["--name=".len()..]), container);
                }
                ["start", name] => {
                    let container = things.get_mut(&key(name)).unwrap();
                    let status = match container["Image"].as_str() {
                        Some("broken") => {
                            return Err("Error response from daemon: no such program\n".to_owned());
                        }
                        Some("bad") => 3,
                        _ => 0,
                    };
                    container["State"] = json!({"Status": "exited", "Running": false, "ExitCode": status});
                    container["Logs"] = json!("built\n");
                }
                ["rm", .., name] => drop(things.remove(&key(name)).ok_or("no such container")?),
                _ => return Err(format!("what is {line}?")),
            }
            Ok(())
        })
    }

    fn run(machine: &FakeMachine, json: &str) -> Result<Outcome, Failure> {
        let cx = machine.context();
        let state = Run::from_values(&serde_json::from_str(json).unwrap()).unwrap();
        let foretold = state.plan(&Context { test: true, ..cx.clone() })?.changes;
        let plan = state.plan(&cx)?;
        assert_eq!(foretold, plan.changes);
        plan.apply.unwrap()(&cx)
    }

    fn acts(machine: &FakeMachine) -> Vec<String> {
        let lines = machine.commands.lines().into_iter().filter(|line| !line.contains(" inspect "));
        lines.map(|line| line.split(" --label=io.zester.made-of=").next().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_it_wrote_and_its_status_are_told() {
        let machine = daemon();
        let done = run(
            &machine,
            r#"{"name": "build", "image": "good", "tail": 5, "since": "10m", "timestamps": true}"#,
        )
        .unwrap();
        assert_eq!((&done.changes["retcode"], &done.changes["stdout"]), (&0.into(), &"built".into()));
        let last = "docker logs --timestamps --tail=5 --since=10m build";
        assert_eq!(
            acts(&machine),
            ["docker create --name=build", "docker start build", "docker wait build", last]
        );
        let quiet = run(&daemon(), r#"{"name": "build", "image": "good", "stdout": false}"#).unwrap();
        assert_eq!(quiet.changes["stdout"], "".into());
        let pulled = daemon();
        run(&pulled, r#"{"name": "build", "image": "other"}"#).unwrap();
        assert_eq!(acts(&pulled)[0], "docker pull --quiet other");
    }

    #[test]
    fn a_status_is_a_failure_or_not() {
        let failure = run(&daemon(), r#"{"name": "build", "image": "bad"}"#).unwrap_err();
        assert_eq!(failure.message, "the container `build` ended with 3: built");
        assert_eq!(failure.changes["retcode"], 3.into());
        let done = run(&daemon(), r#"{"name": "build", "image": "bad", "failhard": false}"#).unwrap();
        assert_eq!(done.comment.as_deref(), Some("the container `build` ran and ended with 3"));
    }

    #[test]
    fn one_that_was_there_is_removed_when_it_may_be() {
        let machine = daemon();
        let again = r#"{"name": "build", "image": "good", "replace": true}"#;
        run(&machine, again).unwrap();
        let failure = run(&machine, r#"{"name": "build", "image": "good"}"#).unwrap_err().message;
        assert!(failure.contains("`replace: true`"), "{failure}");
        run(&machine, again).unwrap();
        assert!(acts(&machine).contains(&"docker rm build".to_owned()));
        machine.converge::<Absent>(&serde_json::from_str(r#"{"name": "build"}"#).unwrap()).unwrap();
        let busy = machine_with_one_that_runs();
        assert!(run(&busy, again).unwrap_err().message.contains("`force: true`"));
    }

    fn machine_with_one_that_runs() -> FakeMachine {
        let runs = json!({"State": {"Status": "running", "Running": true}});
        machine(&[("container build", runs), ("image good", json!({"Id": "sha256:00"}))], |_, _| Ok(()))
    }

    #[test]
    fn nothing_stays_that_is_not_to() {
        let machine = daemon();
        run(&machine, r#"{"name": "build", "image": "good", "auto_remove": true}"#).unwrap();
        assert_eq!(acts(&machine).last().unwrap(), "docker rm build");
        assert!(!machine.commands.lines().iter().any(|line| line.contains(" --rm")));
        let background = daemon();
        run(&background, r#"{"name": "build", "image": "good", "auto_remove": true, "bg": true}"#).unwrap();
        assert!(background.commands.lines().iter().any(|line| line.contains(" --rm")));
        assert!(!acts(&background).contains(&"docker wait build".to_owned()));
        let broken = daemon();
        let failure = run(&broken, r#"{"name": "build", "image": "broken"}"#).unwrap_err().message;
        assert!(failure.contains("no such program"), "{failure}");
        assert_eq!(acts(&broken).last().unwrap(), "docker rm --force build");
    }

    #[test]
    fn one_that_takes_too_long_is_ended() {
        let machine = daemon();
        machine.commands.on("docker wait", |_, _| Output { timed_out: true, ..Output::default() });
        machine.commands.on("docker kill", |_, _| Output::default());
        let failure =
            run(&machine, r#"{"name": "build", "image": "good", "auto_remove": true}"#).unwrap_err().message;
        assert!(failure.starts_with("the container `build` took too long and was ended"), "{failure}");
        assert_eq!(acts(&machine)[3..], ["docker kill build", "docker rm build"]);
    }
}
