//! `service.running`: a service runs.

use super::{Known, known, wait_for};
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, change, provider::Services};
use std::sync::Arc;
use zester_compiler::types::{Seconds, Value};

/// A service runs. With `watch` it is restarted (or reloaded) when what it watches changed.
///
/// A unit's file and its drop-ins are files: write them with `file.managed` and watch them. Before a unit is started, restarted or
/// reloaded, systemd reads its files again (`daemon-reload`) if they have changed.
///
/// ```yaml
/// /etc/systemd/system/nginx.service.d/limits.conf:
///   file.managed:
///     - makedirs: true
///     - contents: |
///         [Service]
///         LimitNOFILE=65536
///
/// nginx:
///   service.running:
///     - enable: true
///     - watch:
///       - file: /etc/systemd/system/nginx.service.d/limits.conf
/// ```
#[derive(Arguments)]
#[state("service.running", watches)]
pub(crate) struct Running {
    /// The service.
    #[arg(primary)]
    name: String,
    /// Whether it starts at boot; left alone when not given.
    enable: Option<bool>,
    /// With `watch`: whether it is reloaded instead of restarted.
    #[arg(default = false)]
    reload: bool,
    /// With `watch`: whether it is restarted.
    #[arg(inert = "a watched service is restarted unless it is reloaded")]
    restart: Option<bool>,
    /// With `watch`: whether it is stopped and started instead of restarted.
    #[arg(default = false)]
    full_restart: bool,
    /// With `watch`: whether a restart goes on even though the reload or restart just failed.
    #[arg(inert = "a failed restart is always reported as a failure")]
    force: Option<bool>,
    /// Whether a masked service is unmasked first.
    #[arg(default = false)]
    unmask: bool,
    /// Whether it is unmasked even if the mask lasts only until the next boot.
    #[arg(default = false)]
    unmask_runtime: bool,
    /// Seconds after the start before it is looked at: for services that die slowly.
    init_delay: Option<Seconds>,
    /// Seconds to wait until it runs.
    timeout_start: Option<Seconds>,
    /// Process to look for instead of asking the service manager.
    #[arg(
        inert = "the service manager is asked, or the init script's own status; a process name is not looked for"
    )]
    sig: Option<String>,
    /// Whether the service manager returns at once.
    #[arg(inert = "a start is always waited for, so that its failure is seen")]
    no_block: Option<bool>,
    /// Whether jobs of the service manager are replaced.
    #[arg(inert = "a start is queued as the service manager does by default")]
    force_reload: Option<bool>,
    /// FreeBSD, Gentoo: run levels.
    #[arg(inert = "run levels are the distribution's defaults; use `service.enabled`")]
    runlevels: Option<Value>,
    /// Gentoo: levels.
    #[arg(inert = "run levels are the distribution's defaults; use `service.enabled`")]
    levels: Option<Value>,
}

impl State for Running {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let services = (cx.machine.services)()?;
        let name = &self.name;
        let mut changes = Changes::new();
        let status = match known(cx, &*services, name)? {
            Known::Yes(status) => status,
            Known::NotYet => {
                changes.insert("running".to_owned(), change(false, true));
                if let Some(enable) = self.enable {
                    changes.insert("enabled".to_owned(), change(!enable, enable));
                }
                let comment = format!("`{name}` is not there; if this run creates it, it would be started");
                return Ok(Plan::change(changes, comment, |_| Ok(Outcome::default())));
            }
        };
        let unmask = status.masked && (self.unmask || self.unmask_runtime);
        if status.masked && !unmask && !status.running {
            return Err(format!("`{name}` is masked; set `unmask: true` to start it").into());
        }
        if unmask {
            changes.insert("masked".to_owned(), change(true, false));
        }
        let start = !status.running;
        if start {
            changes.insert("running".to_owned(), change(false, true));
        }
        let enable = self.enable.filter(|wanted| status.enabled.is_some_and(|is| is != *wanted));
        if let Some(enable) = enable {
            changes.insert("enabled".to_owned(), change(!enable, enable));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{name}` runs")));
        }
        let comment = match (cx.test, start) {
            (true, true) => format!("would start `{name}`"),
            (false, true) => format!("started `{name}`"),
            (true, false) => format!("would change `{name}`"),
            (false, false) => format!("changed `{name}`"),
        };
        Ok(Plan::change(changes, comment, move |cx| {
            let mut done = Changes::new();
            let mut step = |key: &str, new: bool, outcome: Result<(), String>| match outcome {
                Ok(()) => {
                    done.insert(key.to_owned(), change(!new, new));
                    Ok(())
                }
                Err(message) => Err(Failure::new(message).with_changes(done.clone())),
            };
            if unmask {
                step("masked", false, services.set_masked(cx, &self.name, false, self.unmask_runtime))?;
            }
            if start {
                step(
                    "running",
                    true,
                    services.start(cx, &self.name).and_then(|()| self.settle(cx, &*services)),
                )?;
            }
            if let Some(enable) = enable {
                step("enabled", enable, services.set_enabled(cx, &self.name, enable))?;
            }
            Ok(Outcome::default())
        }))
    }

    fn watched(&self, cx: &Context) -> Result<Option<Plan<'_>>, Failure> {
        let services = (cx.machine.services)()?;
        if let Known::NotYet = known(cx, &*services, &self.name)? {
            return Ok(None);
        }
        let (verb, did) = if self.reload {
            ("reload", "reloaded")
        } else if self.full_restart {
            ("stop and start", "stopped and started")
        } else {
            ("restart", "restarted")
        };
        let changes = Changes::from_iter([(verb.replace(' ', "_"), Value::Bool(true))]);
        let name = &self.name;
        let comment = if cx.test { format!("would {verb} `{name}`") } else { format!("{did} `{name}`") };
        Ok(Some(Plan::change(changes, comment, move |cx| self.react(cx, &services))))
    }
}

impl Running {
    fn react(&self, cx: &Context, services: &Arc<dyn Services>) -> Result<Outcome, Failure> {
        let name = &self.name;
        if self.reload && services.running(cx, name)? {
            services.reload(cx, name)?;
        } else if self.full_restart {
            services.stop(cx, name)?;
            wait_for(cx, &**services, name, false, 10.0)?;
            services.start(cx, name)?;
        } else {
            services.restart(cx, name)?;
        }
        self.settle(cx, &**services)?;
        Ok(Outcome::default())
    }

    /// Looks whether it stayed up: some start scripts succeed although their daemon dies at once.
    fn settle(&self, cx: &Context, services: &dyn Services) -> Result<(), String> {
        if let Some(Seconds(delay)) = self.init_delay {
            std::thread::sleep(std::time::Duration::from_secs_f64(delay.clamp(0.0, 3_600.0)));
        }
        let limit_s = self.timeout_start.map_or(3.0, |s| s.0);
        if wait_for(cx, services, &self.name, true, limit_s)? {
            return Ok(());
        }
        Err(format!("`{}` was started but does not run", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{
        ServiceStatus,
        fake::{FakeMachine, FakeServices},
    };
    use zester_compiler::types::{Arguments as _, Map};

    fn machine() -> (FakeMachine, Arc<FakeServices>) {
        let services = Arc::new(FakeServices::default());
        let mut machine = FakeMachine::new();
        machine.services = Some(services.clone());
        (machine, services)
    }

    fn args(pairs: &[(&str, Value)]) -> Map {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
    }

    #[test]
    fn starts_and_enables() {
        let (machine, services) = machine();
        services.put("nginx", ServiceStatus { enabled: Some(false), ..ServiceStatus::default() });
        let outcome =
            machine.converge::<Running>(&args(&[("name", "nginx".into()), ("enable", true.into())])).unwrap();
        assert_eq!(outcome.changes["running"], change(false, true));
        assert_eq!(outcome.changes["enabled"], change(false, true));
        assert_eq!(services.log(), ["start nginx", "enable nginx"]);
    }

    #[test]
    fn a_masked_service_needs_unmask() {
        let (machine, services) = machine();
        services.put("x", ServiceStatus { masked: true, ..ServiceStatus::default() });
        let refused = machine.converge::<Running>(&args(&[("name", "x".into())])).unwrap_err();
        assert!(refused.message.contains("unmask: true"), "{}", refused.message);
        machine.converge::<Running>(&args(&[("name", "x".into()), ("unmask", true.into())])).unwrap();
        assert_eq!(services.log(), ["unmask x", "start x"]);
    }

    #[test]
    fn a_missing_service_is_an_error_with_the_nearest_name() {
        let (machine, services) = machine();
        services.put("nginx", ServiceStatus::default());
        let cx = machine.context();
        let state = Running::from_values(&args(&[("name", "ngnix".into())])).unwrap();
        let Err(failure) = state.plan(&cx) else { panic!("it is not there") };
        assert!(failure.message.contains("is it `nginx`?"), "{}", failure.message);
        let test = Context { test: true, ..cx };
        assert!(state.plan(&test).unwrap().apply.is_some());
    }

    #[test]
    fn watch_restarts_or_reloads() {
        let (machine, services) = machine();
        services.put("a", ServiceStatus { running: true, ..ServiceStatus::default() });
        let cx = machine.context();
        for (arg, verb) in [("name", "restart"), ("reload", "reload"), ("full_restart", "stop")] {
            let mut args = args(&[("name", "a".into())]);
            if arg != "name" {
                args.insert(arg.to_owned(), true.into());
            }
            let state = Running::from_values(&args).unwrap();
            let plan = state.watched(&cx).unwrap().unwrap();
            plan.apply.unwrap()(&cx).unwrap();
            assert!(services.log().contains(&format!("{verb} a")), "{:?}", services.log());
        }
    }

    #[test]
    fn words_of_a_failed_start_are_kept() {
        let (machine, services) = machine();
        services.put("a", ServiceStatus::default());
        services.break_start("a", "port 80 is taken");
        let failure = machine.converge::<Running>(&args(&[("name", "a".into())])).unwrap_err();
        assert_eq!(failure.message, "port 80 is taken");
        assert!(failure.changes.is_empty());
    }
}
