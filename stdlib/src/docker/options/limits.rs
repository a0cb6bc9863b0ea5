//! What a container may use of the machine.

use super::{
    super::{
        rows::Rows,
        text::{list, pairs, rate, ulimit},
    },
    Options,
};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use zester_compiler::types::{Size, Value};

/// Size of a container's shared memory where nothing is said.
const SHARED_MEMORY: i64 = 64 * 1024 * 1024;

impl Options {
    pub(super) fn limits(&self, rows: &mut Rows<'_>) -> Result<(), String> {
        let size = |size: Option<Size>| size.map(|Size(bytes)| i64::try_from(bytes).unwrap_or(i64::MAX));
        rows.number("mem_limit", "--memory", "/HostConfig/Memory", size(self.mem_limit), Some(0));
        let swap = self.memswap_limit.as_ref().and_then(Value::as_int);
        rows.number("memswap_limit", "--memory-swap", "/HostConfig/MemorySwap", swap, None);
        let path = "/HostConfig/MemorySwappiness";
        rows.number("mem_swappiness", "--memory-swappiness", path, self.mem_swappiness, None);
        rows.number(
            "shm_size",
            "--shm-size",
            "/HostConfig/ShmSize",
            size(self.shm_size),
            Some(SHARED_MEMORY),
        );
        let number = |number: Option<u32>| number.map(i64::from);
        rows.number("cpu_shares", "--cpu-shares", "/HostConfig/CpuShares", number(self.cpu_shares), Some(0));
        rows.number("cpu_period", "--cpu-period", "/HostConfig/CpuPeriod", number(self.cpu_period), Some(0));
        rows.number("cpu_quota", "--cpu-quota", "/HostConfig/CpuQuota", self.cpu_quota, Some(0));
        let (cpus, mems) = (self.cpuset_cpus.as_deref(), self.cpuset_mems.as_deref());
        rows.text("cpuset_cpus", "--cpuset-cpus", "/HostConfig/CpusetCpus", cpus, Some(""));
        rows.text("cpuset_mems", "--cpuset-mems", "/HostConfig/CpusetMems", mems, Some(""));
        rows.number("blkio_weight", "--blkio-weight", "/HostConfig/BlkioWeight", self.blkio_weight, Some(0));
        rows.number("pids_limit", "--pids-limit", "/HostConfig/PidsLimit", self.pids_limit, Some(0));
        rows.switch(
            "oom_kill_disable",
            "--oom-kill-disable",
            "/HostConfig/OomKillDisable",
            self.oom_kill_disable,
        );
        rows.number(
            "oom_score_adj",
            "--oom-score-adj",
            "/HostConfig/OomScoreAdj",
            self.oom_score_adj,
            Some(0),
        );
        let limits = list(&self.ulimits);
        for text in &limits {
            rows.say("--ulimit", text);
        }
        let have = rows.at("/HostConfig/Ulimits").and_then(Json::as_array).into_iter().flatten().map(|of| {
            let limit = |name: &str| of.get(name).and_then(Json::as_i64).unwrap_or_default();
            let name = of.get("Name").and_then(Json::as_str).unwrap_or_default();
            format!("{name}={}:{}", limit("Soft"), limit("Hard"))
        });
        let (wanted, have) = (limits.iter().map(|text| ulimit(text)).collect(), have.collect());
        rows.sets("ulimits", !limits.is_empty(), wanted, have);
        for (name, option, path, wanted) in [
            ("blkio_weight_device", "--blkio-weight-device", "BlkioWeightDevice", &self.blkio_weight_device),
            ("device_read_bps", "--device-read-bps", "BlkioDeviceReadBps", &self.device_read_bps),
            ("device_read_iops", "--device-read-iops", "BlkioDeviceReadIOps", &self.device_read_iops),
            ("device_write_bps", "--device-write-bps", "BlkioDeviceWriteBps", &self.device_write_bps),
            ("device_write_iops", "--device-write-iops", "BlkioDeviceWriteIOps", &self.device_write_iops),
        ] {
            let wanted =
                list(wanted).iter().map(|text| rate(name, text)).collect::<Result<BTreeSet<_>, _>>()?;
            for text in &wanted {
                rows.say(option, text);
            }
            let have = rows.at(&format!("/HostConfig/{path}")).and_then(Json::as_array);
            let have = have.into_iter().flatten().map(|of| {
                let number = of.get("Rate").or_else(|| of.get("Weight")).and_then(Json::as_i64);
                let path = of.get("Path").and_then(Json::as_str).unwrap_or_default();
                format!("{path}:{}", number.unwrap_or_default())
            });
            rows.sets(name, !wanted.is_empty(), wanted, have.collect());
        }
        let path = "/HostConfig/Sysctls";
        rows.pairs("sysctls", "--sysctl", path, pairs("sysctls", &self.sysctls, '=')?);
        Ok(())
    }
}
