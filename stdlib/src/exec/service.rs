//! `service.*` functions.

use crate::{Context, Library, provider::Services};
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
        .exec::<SystemctlReload>();
}
