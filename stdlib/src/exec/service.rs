//! `service.*` functions.

use crate::{
    Context, Library,
    provider::{ServiceStatus, Services},
};
use std::sync::Arc;
use zester_compiler::types::Value;

fn services(cx: &Context) -> Result<Arc<dyn Services>, String> {
    (cx.machine.services)()
}

macro_rules! asks {
    ($($(#[doc = $doc:literal])+ $name:literal $struct:ident |$services:ident, $cx:ident, $it:ident| $body:expr;)+) => {$(
        exec! {
            $(#[doc = $doc])+
            $name probe $struct {
                /// The service.
                name: String,
            } |$it, $cx| {
                let $services = services($cx)?;
                Ok(Value::Bool($body))
            }
        }
    )+};
}

macro_rules! acts {
    ($($(#[doc = $doc:literal])+ $name:literal $struct:ident |$services:ident, $cx:ident, $it:ident| $body:expr;)+) => {$(
        exec! {
            $(#[doc = $doc])+
            $name mutating $struct {
                /// The service.
                name: String,
            } |$it, $cx| {
                let $services = services($cx)?;
                $body?;
                Ok(Value::Bool(true))
            }
        }
    )+};
}

asks! {
    /// Whether a service runs.
    "service.status" Status |services, cx, it| services.running(cx, &it.name)?;
    /// Whether there is such a service.
    "service.available" Available |services, cx, it| services.available(cx, &it.name)?;
    /// Whether there is no such service.
    "service.missing" Missing |services, cx, it| !services.available(cx, &it.name)?;
    /// Whether a service starts at boot.
    "service.enabled" Enabled |services, cx, it| services.enabled(cx, &it.name)?;
    /// Whether a service does not start at boot.
    "service.disabled" Disabled |services, cx, it| !services.enabled(cx, &it.name)?;
    /// Whether a service is masked.
    "service.masked" Masked |services, cx, it| services.masked(cx, &it.name)?;
}

acts! {
    /// Starts a service.
    "service.start" Start |services, cx, it| services.start(cx, &it.name);
    /// Stops a service.
    "service.stop" Stop |services, cx, it| services.stop(cx, &it.name);
    /// Restarts a service.
    "service.restart" Restart |services, cx, it| services.restart(cx, &it.name);
    /// Makes a service read its configuration again.
    "service.reload" Reload |services, cx, it| services.reload(cx, &it.name);
    /// Makes a service read its configuration again.
    "service.force_reload" ForceReload |services, cx, it| services.reload(cx, &it.name);
    /// Makes a service start at boot.
    "service.enable" Enable |services, cx, it| services.set_enabled(cx, &it.name, true);
    /// Makes a service not start at boot.
    "service.disable" Disable |services, cx, it| services.set_enabled(cx, &it.name, false);
    /// Masks a service.
    "service.mask" Mask |services, cx, it| services.set_masked(cx, &it.name, true, false);
    /// Unmasks a service.
    "service.unmask" Unmask |services, cx, it| services.set_masked(cx, &it.name, false, false);
}

exec! {
    /// Names of all services.
    "service.get_all" probe GetAll {} |_, cx| Ok(services(cx)?.all(cx)?.into())
}

/// Sorted names of the services whose state is such.
fn those(cx: &Context, wanted: impl Fn(&ServiceStatus) -> bool) -> Result<Value, String> {
    let all = services(cx)?.overview(cx)?.into_iter();
    Ok(sorted(all.filter(|(_, status)| wanted(status)).map(|(name, _)| name).collect()))
}

fn sorted(mut names: Vec<String>) -> Value {
    names.sort();
    names.dedup();
    names.into()
}

exec! {
    /// Names of the services that start at boot.
    "service.get_enabled" probe GetEnabled {} |_, cx| those(cx, |s| s.enabled == Some(true))
}

exec! {
    /// Names of the services that do not start at boot but could.
    "service.get_disabled" probe GetDisabled {} |_, cx| those(cx, |s| s.enabled == Some(false) && !s.masked)
}

exec! {
    /// Names of the services of which cannot be chosen whether they start at boot.
    "service.get_static" probe GetStatic {} |_, cx| those(cx, |s| s.enabled.is_none())
}

exec! {
    /// Names of the services that run.
    "service.get_running" probe GetRunning {} |_, cx| Ok(sorted(services(cx)?.running_now(cx)?))
}

exec! {
    /// Everything systemd says of a service, by its own names.
    "service.show" probe Show {
        /// The service.
        name: String,
    } |it, cx| {
        let properties = services(cx)?.properties(cx, &it.name)?;
        Ok(Value::Map(properties.into_iter().map(|(key, value)| (key, value.into())).collect()))
    }
}

exec! {
    /// Makes the service manager read changed unit files.
    "service.systemctl_reload" mutating SystemctlReload {} |_, cx| {
        if services(cx)?.name() == "systemd" {
            crate::provider::tool::succeed(cx, crate::provider::tool::tool("systemctl", ["daemon-reload"]))?;
        }
        Ok(Value::Bool(true))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Status>()
        .exec::<Available>()
        .exec::<Missing>()
        .exec::<Enabled>()
        .exec::<Disabled>()
        .exec::<Masked>()
        .exec::<Start>()
        .exec::<Stop>()
        .exec::<Restart>()
        .exec::<Reload>()
        .exec::<ForceReload>()
        .exec::<Enable>()
        .exec::<Disable>()
        .exec::<Mask>()
        .exec::<Unmask>()
        .exec::<GetAll>()
        .exec::<GetEnabled>()
        .exec::<GetDisabled>()
        .exec::<GetStatic>()
        .exec::<GetRunning>()
        .exec::<Show>()
        .exec::<SystemctlReload>();
}
