//! `docker_image.present`, `docker_image.absent`

use super::client::{act, check_image, inspect, short, text};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::{Path, Seconds, Value};
use zester_stdlib_derive::Arguments;

/// A machine has an image: pulled from its registry, built of a directory, or loaded from a file that `docker save` wrote.
///
/// ```yaml
/// nginx:
///   docker_image.present:
///     - tag: "1.27"
///
/// registry.example/app:
///   docker_image.present:
///     - tag: local
///     - build: /srv/app
/// ```
#[derive(Arguments)]
#[state("docker_image.present", at_most_one_of("build", "load", "sls"))]
pub(crate) struct Present {
    /// The image, with its tag or without.
    #[arg(primary)]
    name: String,
    /// Its tag; `latest` if neither this nor `name` says one.
    tag: Option<String>,
    /// The directory that it is built of.
    build: Option<Path>,
    /// The file in that directory that says how; `Dockerfile` if nothing is said.
    dockerfile: Option<String>,
    /// The archive that it is loaded from.
    load: Option<Path>,
    /// Whether it is pulled, built or loaded again in every run.
    #[arg(default = false)]
    force: bool,
    /// States that it is made of.
    sls: Option<Value>,
    /// The image that states are applied to.
    #[arg(inert = "images are built of a `Dockerfile`, which names its own base")]
    base: Option<String>,
    /// The environment of the states.
    #[arg(inert = "images are built of a `Dockerfile`, not of states")]
    saltenv: Option<String>,
    /// The environment of their settings.
    #[arg(inert = "images are built of a `Dockerfile`, not of states")]
    pillarenv: Option<String>,
    /// Settings of the states.
    #[arg(inert = "images are built of a `Dockerfile`, not of states")]
    pillar: Option<Value>,
    /// Whether the registry is spoken to without TLS.
    #[arg(inert = "the daemon decides this: `insecure-registries` in its `daemon.json`")]
    insecure_registry: Option<bool>,
    /// How long the daemon may take to answer.
    #[arg(inert = "`timeout` does this for every function")]
    client_timeout: Option<Seconds>,
}

/// An image with its tag.
fn reference(name: &str, tag: Option<&str>) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    match tag {
        Some(tag) => format!("{name}:{tag}"),
        None if last.contains([':', '@']) => name.to_owned(),
        None => format!("{name}:latest"),
    }
}

impl Present {
    fn make(&self, cx: &Context, image: &str) -> Result<(), Failure> {
        if let Some(directory) = &self.build {
            let mut words = vec!["build".to_owned(), format!("--tag={image}")];
            if self.force {
                words.extend(["--no-cache".to_owned(), "--pull".to_owned()]);
            }
            if let Some(file) = &self.dockerfile {
                words.push(format!("--file={}/{file}", directory.trim_end_matches('/')));
            }
            words.push(directory.to_string());
            return act(cx, words);
        }
        match &self.load {
            Some(archive) => act(cx, ["load", "--quiet", &format!("--input={archive}")]),
            None => act(cx, ["pull", "--quiet", image]),
        }
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let image = reference(&self.name, self.tag.as_deref());
        check_image(&image)?;
        if self.sls.is_some() {
            return Err(Failure::new(format!(
                "the image `{image}` is to be made of states; write a `Dockerfile` and name its directory in `build`"
            )));
        }
        let have = inspect(cx, "image", &image)?;
        if have.is_some() && !self.force {
            return Ok(Plan::unchanged(format!("the image `{image}` is there")));
        }
        let old = have.as_ref().map(|json| text(json, "/Id").to_owned());
        let how = match (&self.build, &self.load) {
            (Some(directory), _) => format!("built of `{directory}`"),
            (_, Some(archive)) => format!("loaded from `{archive}`"),
            _ => "pulled".to_owned(),
        };
        let was = old.as_deref().map(short);
        let changes = Changes::from_iter([(image.clone(), change(was.clone(), how.as_str()))]);
        Ok(Plan::change(changes, format!("the image `{image}` is {how}"), move |cx| {
            self.make(cx, &image)?;
            let Some(now) = inspect(cx, "image", &image)? else {
                return Err(Failure::new(format!("the image was {how}, and there is still no `{image}`")));
            };
            let new = text(&now, "/Id");
            if old.as_deref() == Some(new) {
                return Ok(Outcome { unchanged: true, ..Outcome::default() });
            }
            Ok(Outcome::default())
        }))
    }
}

/// A machine does not have an image.
///
/// ```yaml
/// old images:
///   docker_image.absent:
///     - images: [nginx:1.25, nginx:1.26]
/// ```
#[derive(Arguments)]
#[state("docker_image.absent")]
pub(crate) struct Absent {
    /// The image.
    #[arg(primary)]
    name: String,
    /// Images; the one that `name` says if there are none.
    images: Vec<String>,
    /// Whether one that stopped containers are of is removed, too.
    #[arg(default = false)]
    force: bool,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let one = [self.name.clone()];
        let names = if self.images.is_empty() { &one } else { self.images.as_slice() };
        let mut changes = Changes::new();
        for image in names {
            check_image(image)?;
            if let Some(have) = inspect(cx, "image", image)? {
                changes.insert(image.clone(), change(short(text(&have, "/Id")), ()));
            }
        }
        let all: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let all = all.join(", ");
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("there is no image {all}")));
        }
        let gone: Vec<String> = changes.keys().cloned().collect();
        Ok(Plan::change(changes, format!("removes {all}"), move |cx| {
            let force = self.force.then(|| "--force".to_owned());
            act(cx, ["image".to_owned(), "rm".to_owned()].into_iter().chain(force).chain(gone))?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};
    use crate::provider::fake::FakeMachine;
    use serde_json::json;

    fn daemon() -> FakeMachine {
        machine(&[("image nginx:1.27", json!({"Id": "sha256:0123456789abcdef"}))], |line, things| {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["pull", "--quiet", "none:latest"] => {
                    return Err("Error response from daemon: pull access denied".into());
                }
                ["pull", "--quiet", image] => {
                    things.insert(format!("image {image}"), json!({"Id": "sha256:0123456789abcdef"}));
                }
                ["build", tag, ..] => {
                    things.insert(format!("image {}", &tag["--tag=".len()..]), json!({"Id": "sha256:ff"}));
                }
                ["load", ..] => {}
                ["image", "rm", ref names @ ..] => {
                    for name in names {
                        things.remove(&format!("image {name}"));
                    }
                }
                _ => return Err(format!("what is {line}?")),
            }
            Ok(())
        })
    }

    fn args(json: &str) -> zester_compiler::types::Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn pulled_built_or_loaded() {
        let machine = daemon();
        let there = args(r#"{"name": "nginx", "tag": "1.27"}"#);
        assert!(machine.converge::<Present>(&there).unwrap().changes.is_empty());
        let pulled = machine.converge::<Present>(&args(r#"{"name": "r.example:5000/app"}"#)).unwrap();
        assert_eq!(pulled.changes["r.example:5000/app:latest"], change((), "pulled"));
        let built = args(r#"{"name": "app:2", "build": "/srv/app/", "dockerfile": "Dockerfile.prod"}"#);
        machine.converge::<Present>(&built).unwrap();
        let line = "docker build --tag=app:2 --file=/srv/app/Dockerfile.prod /srv/app/".to_owned();
        assert!(machine.commands.lines().contains(&line), "{:?}", machine.commands.lines());
        let message = |json: &str| machine.converge::<Present>(&args(json)).unwrap_err().message;
        assert!(message(r#"{"name": "x", "load": "/x.tar"}"#).ends_with("there is still no `x:latest`"));
        assert!(message(r#"{"name": "none"}"#).contains("pull access denied"));
        assert!(message(r#"{"name": "x", "sls": "a.b"}"#).contains("write a `Dockerfile`"));
    }

    #[test]
    fn one_that_is_pulled_again_may_be_the_same() {
        use zester_compiler::types::Arguments;
        let machine = daemon();
        let state = Present::from_values(&args(r#"{"name": "nginx:1.27", "force": true}"#)).unwrap();
        let cx = machine.context();
        let outcome = state.plan(&cx).unwrap().apply.unwrap()(&cx).unwrap();
        assert!(outcome.unchanged);
    }

    #[test]
    fn those_that_are_there_are_removed() {
        let machine = daemon();
        let gone = args(r#"{"name": "x", "images": ["nginx:1.27", "nginx:1.26"]}"#);
        let changes = machine.converge::<Absent>(&gone).unwrap().changes;
        assert_eq!(changes.keys().collect::<Vec<_>>(), ["nginx:1.27"]);
        assert!(machine.commands.lines().contains(&"docker image rm nginx:1.27".to_owned()));
    }
}
