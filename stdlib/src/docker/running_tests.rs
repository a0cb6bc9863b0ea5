use super::{super::client::tests::machine, *};
use crate::provider::fake::FakeMachine;
use serde_json::json;

fn args(json: &str) -> Map {
    serde_json::from_str(json).unwrap()
}

fn image(id: &str) -> Json {
    json!({"Id": id, "Config": {
        "Env": ["PATH=/usr/bin", "NGINX_VERSION=1.27"], "Entrypoint": ["/docker-entrypoint.sh"],
        "Cmd": ["nginx", "-g", "daemon off;"], "ExposedPorts": {"80/tcp": {}}, "Labels": {"maintainer": "x"},
        "WorkingDir": "", "User": "", "Volumes": null,
    }})
}

/// What `docker inspect` tells of a container that `docker create` made with nothing but a name.
fn container(image: &str, running: bool) -> Json {
    let status = if running { "running" } else { "exited" };
    json!({
        "Image": image,
        "State": {"Status": status, "Running": running, "Paused": false, "ExitCode": 3},
        "Config": {
            "Hostname": "0123456789ab", "Env": ["PATH=/usr/bin", "NGINX_VERSION=1.27"],
            "Entrypoint": ["/docker-entrypoint.sh"], "Cmd": ["nginx", "-g", "daemon off;"],
            "ExposedPorts": {"80/tcp": {}}, "Labels": {"maintainer": "x"}, "WorkingDir": "", "User": "",
            "Volumes": null, "Tty": false, "OpenStdin": false, "Domainname": "",
        },
        "HostConfig": {
            "Binds": null, "PortBindings": {}, "PublishAllPorts": false, "NetworkMode": "bridge",
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "Privileged": false, "CapAdd": null,
            "Memory": 0, "ShmSize": 67_108_864, "CpusetCpus": "", "PidsLimit": null, "OomKillDisable": null,
            "LogConfig": {"Type": "json-file", "Config": {}}, "VolumeDriver": "", "Devices": [],
        },
        "NetworkSettings": {"Networks": {"bridge": {"Aliases": null, "IPAMConfig": null}}},
    })
}

/// The parts of a description that the words of `docker create` decide, as far as these tests use them.
fn made(words: &[&str], image_id: &str) -> Json {
    let mut made = container(image_id, false);
    for word in words {
        let Some((option, value)) = word.split_once('=') else { continue };
        match option {
            "--env" => made["Config"]["Env"].as_array_mut().unwrap().push(json!(format!("{value}=1"))),
            "--label" => {
                let (name, value) = value.split_once('=').unwrap();
                made["Config"]["Labels"][name] = json!(value);
            }
            "--publish" => {
                let (outside, inside) = value.split_once(':').unwrap();
                let binding = json!([{"HostIp": "", "HostPort": outside}]);
                made["HostConfig"]["PortBindings"][format!("{inside}/tcp")] = binding;
            }
            "--volume" => made["HostConfig"]["Binds"] = json!([value]),
            "--restart" => made["HostConfig"]["RestartPolicy"]["Name"] = json!(value),
            "--security-opt" => {
                made["HostConfig"]["SecurityOpt"] = json!(["seccomp={\"defaultAction\":\"x\"}"]);
            }
            "--pids-limit" => made["HostConfig"]["PidsLimit"] = json!(value.parse::<i64>().unwrap()),
            "--memory" => made["HostConfig"]["Memory"] = json!(value.parse::<i64>().unwrap()),
            "--network" => made["NetworkSettings"]["Networks"] = json!({value: {}}),
            "--name" => {}
            _ => panic!("what is {word}?"),
        }
    }
    made
}

/// A daemon with an image, and with a container `web` if one is given. A container of the image `bad` ends at once.
fn daemon(web: Option<Json>) -> FakeMachine {
    let mut things = vec![("image nginx", image("sha256:aa")), ("image bad", image("sha256:0bad"))];
    things.extend(web.map(|web| ("container web", web)));
    machine(&things, |line, things| {
        let key = |name: &str| format!("container {name}");
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["pull", "--quiet", name] => drop(things.insert(format!("image {name}"), image("sha256:cc"))),
            ["create", ref words @ ..] => {
                let options: Vec<&str> =
                    words.iter().copied().filter(|word| word.starts_with("--")).collect();
                let name = options[0].strip_prefix("--name=").unwrap();
                let of = words.iter().find(|word| !word.starts_with("--")).unwrap();
                let id = things[&format!("image {of}")]["Id"].as_str().unwrap().to_owned();
                things.insert(key(name), made(&options, &id));
            }
            ["start", name] => {
                let container = things.get_mut(&key(name)).ok_or("no such container")?;
                let runs = container["Image"] != "sha256:0bad";
                container["State"]["Running"] = json!(runs);
                container["State"]["Status"] = json!(if runs { "running" } else { "exited" });
            }
            ["stop", .., name] => {
                let container = things.get_mut(&key(name)).ok_or("no such container")?;
                container["State"] = json!({"Status": "exited", "Running": false});
            }
            ["rename", old, new] => {
                let container = things.remove(&key(old)).ok_or("no such container")?;
                things.insert(key(new), container);
            }
            ["rm", .., name] => drop(things.remove(&key(name)).ok_or("no such container")?),
            ["network", "connect", .., network, name] => {
                things.get_mut(&key(name)).unwrap()["NetworkSettings"]["Networks"][network] = json!({});
            }
            ["network", "disconnect", network, name] => {
                let container = things.get_mut(&key(name)).unwrap();
                container["NetworkSettings"]["Networks"].as_object_mut().unwrap().remove(network);
            }
            ["kill", ..] => {}
            _ => return Err(format!("what is {line}?")),
        }
        Ok(())
    })
}

fn acts(machine: &FakeMachine) -> Vec<String> {
    let lines = machine.commands.lines().into_iter();
    lines
        .filter_map(|line| line.strip_prefix("docker ").map(str::to_owned))
        .filter(|l| !l.contains(" inspect "))
        .collect()
}

#[test]
fn a_new_one_is_made_and_started() {
    let machine = daemon(None);
    let wanted = args(
        r#"{"name": "web", "image": "nginx", "port_bindings": ["8080:80"], "binds": ["/srv:/www:ro"], "mem_limit": 1048576,
            "environment": [{"KEY": "1"}], "labels": ["tier=front"], "restart_policy": "unless-stopped"}"#,
    );
    let changes = machine.converge::<Running>(&wanted).unwrap().changes;
    assert_eq!(changes["state"], change((), "running"));
    let acts = acts(&machine);
    assert_eq!(acts.len(), 2, "{acts:?}");
    assert!(acts[0].starts_with("create --name=web --label=io.zester.made-of="), "{acts:?}");
    assert!(acts[0].ends_with(
        " --env=KEY --label=tier=front --publish=8080:80 --volume=/srv:/www:ro --memory=1048576 --restart=unless-stopped nginx"
    ), "{acts:?}");
    assert_eq!(acts[1], "start web");
}

#[test]
fn an_image_that_is_not_there_is_pulled() {
    let machine = daemon(None);
    let changes =
        machine.converge::<Running>(&args(r#"{"name": "web", "image": "redis:7"}"#)).unwrap().changes;
    assert_eq!(changes["image"], change((), "redis:7"));
    assert_eq!(acts(&machine)[0], "pull --quiet redis:7");
}

#[test]
fn one_that_is_as_it_should_be_is_left_alone_or_started() {
    let machine = daemon(Some(container("sha256:aa", true)));
    let wanted = args(r#"{"name": "web", "image": "nginx"}"#);
    assert!(machine.converge::<Running>(&wanted).unwrap().changes.is_empty());
    let machine = daemon(Some(container("sha256:aa", false)));
    assert_eq!(machine.converge::<Running>(&wanted).unwrap().changes["state"], change("exited", "running"));
    assert_eq!(acts(&machine), ["start web"]);
    let machine = daemon(Some(container("sha256:aa", false)));
    let asleep = args(r#"{"name": "web", "image": "nginx", "start": false}"#);
    assert!(machine.converge::<Running>(&asleep).unwrap().changes.is_empty());
}

#[test]
fn one_that_differs_is_replaced() {
    let mut old = container("sha256:aa", true);
    old["Config"]["Env"].as_array_mut().unwrap().push(json!("DEBUG=yes"));
    let machine = daemon(Some(old));
    let changes = machine.converge::<Running>(&args(r#"{"name": "web", "image": "nginx"}"#)).unwrap().changes;
    assert_eq!(changes.keys().collect::<Vec<_>>(), ["environment"]);
    assert_eq!(changes["environment"].lookup("DEBUG", ':'), Some(&change("***", ())));
    let verbs: Vec<String> =
        acts(&machine).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(verbs, ["create", "rename", "stop", "rename", "start", "rm"]);
}

#[test]
fn one_that_was_made_of_the_same_differs_in_what_docker_updates_alone() {
    let machine = daemon(None);
    let wanted = args(
        r#"{"name": "web", "image": "nginx", "security_opt": ["seccomp=/etc/profile.json"], "pids_limit": 50}"#,
    );
    // The daemon tells the profile's contents, not its path.
    let changes = machine.converge::<Running>(&wanted).unwrap().changes;
    assert_eq!(changes["state"], change((), "running"));
    let other = args(
        r#"{"name": "web", "image": "nginx", "security_opt": ["seccomp=/etc/profile.json"], "pids_limit": 60}"#,
    );
    let changes = machine.converge::<Running>(&other).unwrap().changes;
    assert_eq!(changes["pids_limit"], change(50, 60));
}

#[test]
fn the_values_of_a_secret_parameter_are_masked() {
    use crate::State;
    use zester_compiler::types::Arguments;
    let machine = daemon(Some(container("sha256:aa", true)));
    let state =
        Running::from_values(&args(r#"{"name": "web", "image": "nginx", "environment": {"KEY": "geheim"}}"#))
            .unwrap();
    let cx = Context { secret: std::sync::Arc::new(["environment".to_owned()]), ..machine.context() };
    let plan = state.plan(&cx).unwrap();
    assert_eq!(plan.changes["environment"], change("***", "***"));
    plan.apply.unwrap()(&cx).unwrap();
    assert!(!machine.commands.lines().iter().any(|line| line.contains("geheim")));
}

#[test]
fn the_old_one_comes_back_when_the_new_one_does_not_start() {
    let machine = daemon(Some(container("sha256:aa", true)));
    let failure =
        machine.converge::<Running>(&args(r#"{"name": "web", "image": "bad"}"#)).unwrap_err().message;
    assert_eq!(failure, "the container `web` was started and ended with 3; the old container is back");
    assert!(
        machine
            .converge::<Running>(&args(r#"{"name": "web", "image": "nginx"}"#))
            .unwrap()
            .changes
            .is_empty()
    );
}

#[test]
fn networks_change_without_a_new_container() {
    let machine = daemon(Some(container("sha256:aa", true)));
    let wanted = args(r#"{"name": "web", "image": "nginx", "networks": ["front", "back"]}"#);
    let changes = machine.converge::<Running>(&wanted).unwrap().changes;
    assert_eq!(changes["networks"], change(vec!["bridge"], vec!["back", "front"]));
    assert_eq!(
        acts(&machine),
        ["network disconnect bridge web", "network connect back web", "network connect front web"]
    );
}

#[test]
fn a_watch_replaces_or_sends_a_signal() {
    use zester_compiler::types::Arguments;
    let machine = daemon(Some(container("sha256:aa", true)));
    let react = |json: &str| {
        let state = Running::from_values(&args(json)).unwrap();
        let cx = machine.context();
        let plan = state.watched(&cx)?.unwrap();
        plan.apply.unwrap()(&cx).map(drop)
    };
    react(r#"{"name": "web", "image": "nginx", "watch_action": "SIGHUP"}"#).unwrap();
    assert_eq!(acts(&machine), ["kill --signal=SIGHUP web"]);
    react(r#"{"name": "web", "image": "nginx"}"#).unwrap();
    assert!(acts(&machine).iter().any(|line| line.starts_with("create ")));
    let odd = react(r#"{"name": "web", "image": "nginx", "watch_action": "a b"}"#).unwrap_err().message;
    assert!(odd.contains("no `watch_action`"), "{odd}");
}
