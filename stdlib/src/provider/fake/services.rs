//! Services that are a map.

use crate::{
    Context,
    provider::{ServiceStatus, Services},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FakeService {
    /// Its state.
    pub status: ServiceStatus,
    /// Why it cannot be started or restarted.
    pub broken: Option<String>,
}

/// A service manager in memory.
#[derive(Debug, Default)]
pub struct FakeServices {
    services: Mutex<BTreeMap<String, FakeService>>,
    log: Mutex<Vec<String>>,
}

impl FakeServices {
    /// Adds a service or replaces one.
    pub fn put(&self, name: &str, status: ServiceStatus) {
        let service = FakeService { status: ServiceStatus { available: true, ..status }, broken: None };
        self.lock().insert(name.to_owned(), service);
    }

    /// From now on its start fails with these words.
    pub fn break_start(&self, name: &str, words: &str) {
        if let Some(service) = self.lock().get_mut(name) {
            service.broken = Some(words.to_owned());
        }
    }

    /// What was done, in order: `start nginx`.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, FakeService>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act(
        &self,
        verb: &str,
        name: &str,
        change: impl FnOnce(&mut FakeService) -> Result<(), String>,
    ) -> Result<(), String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{verb} {name}"));
        let mut services = self.lock();
        let service = services.get_mut(name).ok_or_else(|| format!("there is no service `{name}`"))?;
        change(service)
    }
}

fn start(service: &mut FakeService) -> Result<(), String> {
    if let Some(words) = &service.broken {
        return Err(words.clone());
    }
    if service.status.masked {
        return Err("the unit is masked".to_owned());
    }
    service.status.running = true;
    Ok(())
}

impl Services for FakeServices {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn status(&self, _cx: &Context, name: &str) -> Result<ServiceStatus, String> {
        let absent = ServiceStatus { enabled: Some(false), ..ServiceStatus::default() };
        Ok(self.lock().get(name).map_or(absent, |s| s.status))
    }

    fn all(&self, _cx: &Context) -> Result<Vec<String>, String> {
        Ok(self.lock().keys().cloned().collect())
    }

    fn can_mask(&self) -> bool {
        true
    }

    fn start(&self, _cx: &Context, name: &str) -> Result<(), String> {
        self.act("start", name, start)
    }

    fn stop(&self, _cx: &Context, name: &str) -> Result<(), String> {
        self.act("stop", name, |service| {
            service.status.running = false;
            Ok(())
        })
    }

    fn restart(&self, _cx: &Context, name: &str) -> Result<(), String> {
        self.act("restart", name, start)
    }

    fn reload(&self, _cx: &Context, name: &str) -> Result<(), String> {
        self.act("reload", name, |service| {
            if service.status.running { Ok(()) } else { Err("it does not run".to_owned()) }
        })
    }

    fn set_enabled(&self, _cx: &Context, name: &str, enabled: bool) -> Result<(), String> {
        self.act(if enabled { "enable" } else { "disable" }, name, |service| {
            service.status.enabled = Some(enabled);
            Ok(())
        })
    }

    fn set_masked(&self, _cx: &Context, name: &str, masked: bool, _runtime: bool) -> Result<(), String> {
        self.act(if masked { "mask" } else { "unmask" }, name, |service| {
            service.status.masked = masked;
            Ok(())
        })
    }
}
