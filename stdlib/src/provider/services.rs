//! Services of a machine.

use crate::Context;

/// A service manager.
pub trait Services: Send + Sync {
    /// `systemd`, `sysv`, …
    fn name(&self) -> &'static str;

    /// Whether it knows a service of that name.
    fn available(&self, cx: &Context, name: &str) -> Result<bool, String>;

    /// Whether it runs.
    fn running(&self, cx: &Context, name: &str) -> Result<bool, String>;

    /// Whether it starts at boot.
    fn enabled(&self, cx: &Context, name: &str) -> Result<bool, String>;

    /// Whether it is masked.
    fn masked(&self, cx: &Context, name: &str) -> Result<bool, String>;

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

    /// Masks or unmasks it.
    fn set_masked(&self, cx: &Context, name: &str, masked: bool, runtime: bool) -> Result<(), String>;
}
