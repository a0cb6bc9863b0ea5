//! Services of a machine.

use crate::Context;

/// What is known about a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServiceStatus {
    /// Whether the service manager knows it.
    pub available: bool,
    /// Whether it runs.
    pub running: bool,
    /// Whether it starts at boot; `None` where that cannot be chosen (a unit that others pull in).
    pub enabled: Option<bool>,
    /// Whether it is masked.
    pub masked: bool,
}

/// A service manager.
pub trait Services: Send + Sync {
    /// `systemd`, `sysv`, …
    fn name(&self) -> &'static str;

    /// Everything about one service, asked at once.
    fn status(&self, cx: &Context, name: &str) -> Result<ServiceStatus, String>;

    /// Names of all services it knows.
    fn all(&self, cx: &Context) -> Result<Vec<String>, String>;

    /// All services with their state; whether they run is not asked where that costs more.
    fn overview(&self, cx: &Context) -> Result<Vec<(String, ServiceStatus)>, String> {
        self.all(cx)?.into_iter().map(|name| Ok((name.clone(), self.status(cx, &name)?))).collect()
    }

    /// Names of the services that run.
    fn running_now(&self, cx: &Context) -> Result<Vec<String>, String> {
        Ok(self.overview(cx)?.into_iter().filter(|(_, s)| s.running).map(|(name, _)| name).collect())
    }

    /// Everything the service manager says of one service, by its own names.
    fn properties(&self, _cx: &Context, _name: &str) -> Result<Vec<(String, String)>, String> {
        Err(format!("{} tells no properties of services; systemd does", self.name()))
    }

    /// Whether it can mask services.
    fn can_mask(&self) -> bool;

    /// Whether it knows a service of that name.
    fn available(&self, cx: &Context, name: &str) -> Result<bool, String> {
        Ok(self.status(cx, name)?.available)
    }

    /// Whether it runs.
    fn running(&self, cx: &Context, name: &str) -> Result<bool, String> {
        Ok(self.status(cx, name)?.running)
    }

    /// Whether it starts at boot.
    fn enabled(&self, cx: &Context, name: &str) -> Result<bool, String> {
        Ok(self.status(cx, name)?.enabled == Some(true))
    }

    /// Whether it is masked.
    fn masked(&self, cx: &Context, name: &str) -> Result<bool, String> {
        Ok(self.status(cx, name)?.masked)
    }

    /// Starts it.
    fn start(&self, cx: &Context, name: &str) -> Result<(), String>;

    /// Stops it.
    fn stop(&self, cx: &Context, name: &str) -> Result<(), String>;

    /// Restarts it.
    fn restart(&self, cx: &Context, name: &str) -> Result<(), String>;

    /// Reloads its configuration.
    fn reload(&self, cx: &Context, name: &str) -> Result<(), String>;

    /// Makes it start at boot, or not.
    fn set_enabled(&self, cx: &Context, name: &str, enabled: bool) -> Result<(), String>;

    /// Masks or unmasks it; `runtime` until the next boot.
    fn set_masked(&self, cx: &Context, name: &str, masked: bool, runtime: bool) -> Result<(), String>;
}
