//! Whether the machine is one, and what it runs on otherwise.

use super::{Collected, Inspection};

pub(super) fn collect(inspection: &Inspection, out: &mut Collected) {
    if let Some(subtype) = container(inspection) {
        out.fact("virtualization.type", "container");
        out.fact("virtualization.subtype", subtype);
        return;
    }
    out.fact("virtualization.type", machine(inspection));
}

/// What kind of container this is, when it is one.
fn container(inspection: &Inspection) -> Option<String> {
    if inspection.exists("/.dockerenv") {
        return Some("Docker".to_owned());
    }
    // systemd, or the container's manager, leaves a word; only root may read the first process's environment.
    let word = inspection.line("/run/systemd/container").or_else(|| {
        let environ = inspection.read("/proc/1/environ")?;
        environ.split('\0').find_map(|v| v.strip_prefix("container=").map(str::to_owned))
    });
    if let Some(word) = word {
        return Some(
            match word.as_str() {
                "docker" => "Docker",
                "podman" => "Podman",
                "lxc" | "lxc-libvirt" => "LXC",
                other => other,
            }
            .to_owned(),
        );
    }
    if inspection.exists("/run/.containerenv") {
        return Some("Podman".to_owned());
    }
    let groups = inspection.read("/proc/1/cgroup").unwrap_or_default();
    let known = [("docker", "Docker"), ("kubepods", "Kubernetes"), ("/lxc", "LXC"), ("libpod", "Podman")];
    known.into_iter().find(|(part, _)| groups.contains(part)).map(|(_, name)| name.to_owned())
}

/// The hypervisor by Salt's word for it, or `physical`.
fn machine(inspection: &Inspection) -> &'static str {
    if let Some(kind) = inspection.line("/sys/hypervisor/type")
        && kind == "xen"
    {
        return "xen";
    }
    let dmi = |name: &str| inspection.line(&format!("/sys/class/dmi/id/{name}")).unwrap_or_default();
    let (vendor, product, bios) = (dmi("sys_vendor"), dmi("product_name"), dmi("bios_vendor"));
    let any = |part: &str| [&vendor, &product, &bios].iter().any(|text| text.contains(part));
    if any("VMware") {
        "VMware"
    } else if any("VirtualBox") || any("innotek") {
        "VirtualBox"
    } else if vendor.contains("Microsoft") && product.contains("Virtual Machine") {
        "HyperV"
    } else if any("Google Compute Engine") {
        "gce"
    } else if any("Amazon EC2") {
        "Nitro"
    } else if any("Xen") {
        "xen"
    } else if any("Parallels") {
        "Parallels"
    } else if any("BHYVE") {
        "bhyve"
    } else if ["QEMU", "KVM", "OpenStack", "RHEV", "oVirt", "DigitalOcean", "Hetzner"]
        .iter()
        .any(|part| any(part))
    {
        "kvm"
    } else if hypervisor_flag(inspection) {
        // Small virtual machines have no DMI tables; their clock tells.
        let clocks = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
        let clocks = inspection.line(clocks).unwrap_or_default();
        if clocks.contains("kvm-clock") {
            "kvm"
        } else if clocks.contains("hyperv") {
            "HyperV"
        } else {
            "unknown"
        }
    } else {
        "physical"
    }
}

fn hypervisor_flag(inspection: &Inspection) -> bool {
    let text = inspection.read("/proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().find(|line| line.starts_with("flags"));
    flags.is_some_and(|line| line.split_whitespace().any(|flag| flag == "hypervisor"))
}
