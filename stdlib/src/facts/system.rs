//! What runs the services, who this process is, language and time zone.

use super::{Collected, Inspection};
use zester_compiler::types::{Map, Value};

pub(super) fn collect(inspection: &Inspection, out: &mut Collected) {
    init(inspection, out);
    process(inspection, out);
    locale(inspection, out);
    selinux(inspection, out);
    python(inspection, out);
    let machine_id =
        inspection.line("/etc/machine-id").or_else(|| inspection.line("/var/lib/dbus/machine-id"));
    out.maybe("system.machine_id", machine_id.filter(|id| id != "uninitialized"));
    out.fact("system.efi", inspection.exists("/sys/firmware/efi"));
    let secure = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    // Four bytes of attributes stand before the one that counts.
    let secure = std::fs::read(inspection.path(secure)).is_ok_and(|bytes| bytes.get(4) == Some(&1));
    out.grain("efi-secure-boot", secure);
    out.grain("transactional", inspection.exists("/usr/sbin/transactional-update"));
    out.grain("gpus", Vec::<Value>::new());
    out.grain("num_gpus", 0_i64);
}

fn init(inspection: &Inspection, out: &mut Collected) {
    let first = inspection.line("/proc/1/comm").unwrap_or_default();
    let init = if inspection.exists("/run/systemd/system") {
        "systemd"
    } else if inspection.exists("/run/openrc/softlevel") || first == "openrc-init" {
        "openrc"
    } else if inspection.exists("/run/runit.stopit") || first == "runit" {
        "runit"
    } else {
        match first.as_str() {
            "s6-svscan" => "s6",
            "tini" | "dumb-init" | "supervisord" => first.as_str(),
            "init" if inspection.exists("/etc/inittab") => "sysvinit",
            _ => "unknown",
        }
    };
    out.fact("system.init", init);
    if init == "systemd"
        && let Some(version) = systemd_version(inspection)
    {
        out.grain(
            "systemd",
            Map::from_iter([
                ("version".to_owned(), Value::from(version.as_str())),
                ("features".to_owned(), Value::from("")),
            ]),
        );
        out.fact("system.systemd", version);
    }
}

/// The version in the name of systemd's own library, which needs no program to be run.
fn systemd_version(inspection: &Inspection) -> Option<String> {
    let multiarch = format!("/usr/lib/{}-linux-gnu/systemd", inspection.uname.machine);
    ["/usr/lib/systemd", "/lib/systemd", "/usr/lib64/systemd", &multiarch].into_iter().find_map(|dir| {
        inspection.names(dir).iter().find_map(|name| {
            let version = name.strip_prefix("libsystemd-shared-")?.strip_suffix(".so")?;
            // `252.17-1~deb12u1` on some: the first number is the version.
            let number: String = version.chars().take_while(char::is_ascii_digit).collect();
            (!number.is_empty()).then_some(number)
        })
    })
}

fn process(inspection: &Inspection, out: &mut Collected) {
    let (uid, gid) = inspection.ids;
    let name = |path: &str, id: u32| {
        let text = inspection.read(path).unwrap_or_default();
        text.lines()
            .find_map(|line| {
                let mut fields = line.split(':');
                let name = fields.next()?;
                (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
            })
            .unwrap_or_else(|| id.to_string())
    };
    out.fact("system.user", name("/etc/passwd", uid));
    out.fact("system.group", name("/etc/group", gid));
    out.fact("system.uid", i64::from(uid));
    out.fact("system.gid", i64::from(gid));
    out.fact("system.pid", i64::from(inspection.pid));
    let path = inspection.env.get("PATH").cloned().unwrap_or_default();
    let directories: Vec<String> = path.split(':').filter(|d| !d.is_empty()).map(str::to_owned).collect();
    out.grain("systempath", directories);
    out.fact("system.path", path);
    let shell = inspection.env.get("SHELL").cloned();
    out.fact("system.shell", shell.unwrap_or_else(|| "/bin/sh".to_owned()));
    out.grain("ps", "ps -efHww");
    out.grain("cwd", inspection.cwd.as_str());
}

fn locale(inspection: &Inspection, out: &mut Collected) {
    let zone = inspection
        .link("/etc/localtime")
        .and_then(|target| target.split_once("zoneinfo/").map(|(_, zone)| zone.to_owned()))
        .or_else(|| inspection.line("/etc/timezone"));
    // The POSIX order of precedence.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| inspection.env.get(name).filter(|value| !value.is_empty()))
        .cloned();
    let (language, encoding) = match locale.as_deref().map(|locale| locale.split_once('.')) {
        Some(Some((language, encoding))) => (Value::from(language), Value::from(encoding)),
        Some(None) => (Value::from(locale.as_deref()), Value::Null),
        None => (Value::Null, Value::Null),
    };
    out.grain(
        "locale_info",
        Map::from_iter([
            ("defaultlanguage".to_owned(), language),
            ("defaultencoding".to_owned(), encoding),
            ("detectedencoding".to_owned(), Value::from("utf-8")),
            ("timezone".to_owned(), Value::from(zone.as_deref().unwrap_or("UTC"))),
        ]),
    );
    out.maybe("system.timezone", zone);
    out.maybe("system.locale", locale);
}

fn selinux(inspection: &Inspection, out: &mut Collected) {
    let enforced = match inspection.line("/sys/fs/selinux/enforce").as_deref() {
        Some("1") => "Enforcing",
        Some(_) => "Permissive",
        None => "Disabled",
    };
    let enabled = enforced != "Disabled";
    out.fact("system.selinux", enabled);
    out.fact("system.selinux_enforced", enforced);
    out.grain(
        "selinux",
        Map::from_iter([
            ("enabled".to_owned(), Value::Bool(enabled)),
            ("enforced".to_owned(), Value::from(enforced)),
        ]),
    );
}

/// The system's Python 3, read off the name its link points to. Templates ask to choose package names.
fn python(inspection: &Inspection, out: &mut Collected) {
    let version = inspection.link("/usr/bin/python3").and_then(|target| {
        let (_, version) = target.rsplit_once("python")?;
        version.starts_with("3.").then(|| version.to_owned())
    });
    let minor = version.as_deref().and_then(|v| v.strip_prefix("3.")?.parse::<i64>().ok());
    let info: Vec<Value> = vec![
        Value::Int(3),
        Value::Int(minor.unwrap_or(10)),
        Value::Int(0),
        Value::from("final"),
        Value::Int(0),
    ];
    out.grain("pythonversion", Value::List(info));
    out.grain("pythonpath", Vec::<String>::new());
    if version.is_some() {
        out.grain("pythonexecutable", "/usr/bin/python3");
    }
    out.maybe("system.python", version);
}
