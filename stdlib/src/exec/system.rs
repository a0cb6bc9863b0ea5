//! `system.*`, `timezone.*`, `sysctl.get` and `kernelpkg.active`: the machine as a whole.

use crate::{
    Context, Library,
    exec::file_read::text,
    provider::tool::{succeed, tool},
};
use zester_compiler::types::Value;

/// The zone's name: the text of `/etc/timezone`, else where `/etc/localtime` points to.
fn zone(cx: &Context) -> String {
    let link = cx.machine.files.read_link("/etc/localtime").unwrap_or_default();
    if let Some((_, name)) = link.split_once("/zoneinfo/") {
        return name.to_owned();
    }
    match text(cx, "/etc/timezone") {
        Ok(name) if !name.trim().is_empty() => name.trim().to_owned(),
        _ => "UTC".to_owned(),
    }
}

exec! {
    /// The time zone's name.
    "timezone.get_zone" probe GetZone {} |_, cx| Ok(zone(cx).into())
}

exec! {
    /// The time zone's distance from UTC (`+0100`).
    "timezone.get_offset" probe GetOffset {} |_, _| Ok(chrono::Local::now().format("%z").to_string().into())
}

exec! {
    /// The time zone's abbreviation.
    "timezone.get_zonecode" probe GetZonecode {} |_, cx| {
        let output = succeed(cx, tool("date", ["+%Z"]))?;
        Ok(output.stdout.trim().into())
    }
}

exec! {
    /// The machine's date (`2026-11-23`).
    "system.get_system_date" probe GetDate {} |_, _| Ok(chrono::Local::now().format("%Y-%m-%d").to_string().into())
}

exec! {
    /// The machine's time of day.
    "system.get_system_time" probe GetTime {} |_, _| Ok(chrono::Local::now().format("%I:%M:%S %p").to_string().into())
}

exec! {
    /// Date and time of the machine.
    "system.get_system_date_time" probe GetDateTime {
        /// Distance from UTC.
        #[arg(inert = "the machine's own time zone is used")]
        utc_offset: Option<String>,
    } |_, _| Ok(chrono::Local::now().format("%Y-%m-%d %H:%M:%S").to_string().into())
}

macro_rules! power {
    ($($(#[doc = $doc:literal])+ $name:literal $struct:ident $flag:literal;)+) => {$(
        exec! {
            $(#[doc = $doc])+
            $name mutating $struct {
                /// Minutes until then.
                #[arg(default = 1)]
                at_time: u32,
            } |it, cx| {
                let minutes = format!("+{}", it.at_time);
                succeed(cx, tool("shutdown", [$flag, minutes.as_str()]))?;
                Ok(Value::Bool(true))
            }
        }
    )+};
}

power! {
    /// Starts the machine anew.
    "system.reboot" Reboot "-r";
    /// Ends the machine's work.
    "system.shutdown" Shutdown "-h";
    /// Switches the machine off.
    "system.poweroff" Poweroff "-P";
    /// Halts the machine.
    "system.halt" Halt "-H";
}

exec! {
    /// The value of a parameter of the running kernel.
    "sysctl.get" probe SysctlGet {
        /// The parameter.
        name: String,
    } |it, cx| Ok(crate::sysctl::read(cx, &it.name)?.unwrap_or_default().into())
}

exec! {
    /// The release of the running kernel.
    "kernelpkg.active" probe KernelActive {} |_, _| {
        Ok(rustix::system::uname().release().to_string_lossy().into_owned().into())
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<GetZone>()
        .exec::<GetOffset>()
        .exec::<GetZonecode>()
        .exec::<GetDate>()
        .exec::<GetTime>()
        .exec::<GetDateTime>()
        .exec::<Reboot>()
        .exec::<Shutdown>()
        .exec::<Poweroff>()
        .exec::<Halt>()
        .exec::<SysctlGet>()
        .exec::<KernelActive>();
}
