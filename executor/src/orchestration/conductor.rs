//! The fleet as an orchestration's steps see it: real jobs, over the operator's connection.

use super::{mailbox::Mailbox, report};
use crate::{
    job::message::Call,
    local::{Local, LocalOptions},
    operator::{Heard, Operator, OperatorError, Report, Sending},
};
use std::{
    convert::Infallible,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tokio::runtime::Handle;
use zester_compiler::{
    project::Project,
    settings::Mask,
    types::{Facts, Map, Value},
};
use zester_stdlib::{
    Cancel,
    zester::{Answer, Done, Event, Fleet, Order, Wait},
};

/// How often the end of the run is looked for.
const LOOK: Duration = Duration::from_millis(50);
/// How long a job that was told to stop is waited for: peels finish the state they are at.
const STOPPED: Duration = Duration::from_secs(60);
/// Between two attempts to stop a job.
const AGAIN: Duration = Duration::from_millis(500);
/// Bytes of a secret that are told from any other text.
const LONG_ENOUGH: usize = 6;
/// Orchestrations within orchestrations.
const MAX_DEPTH: usize = 8;

/// Is told what happens to a step's job while it runs: the step, how many peels the job has, what was heard.
pub type Hear = dyn Fn(&str, u64, &Heard) + Send + Sync;

/// A job that a step sent.
#[derive(Clone, Debug)]
pub struct StepJob {
    /// The step's name.
    pub step: String,
    /// What came of it.
    pub report: Report,
}

/// What orchestrations within each other share.
pub(super) struct Shared {
    pub operator: Operator,
    runtime: Handle,
    mailbox: Mutex<Option<Arc<Mailbox>>>,
    jobs: Mutex<Vec<StepJob>>,
    hear: Box<Hear>,
}

/// Sends the jobs of steps.
pub struct Conductor {
    pub(super) shared: Arc<Shared>,
    /// The orchestration's name, for the record of its jobs.
    name: String,
    depth: usize,
    pub(super) project: Arc<Project>,
    pub(super) root: PathBuf,
    pub(super) options: LocalOptions,
    facts: Arc<Facts>,
    /// What no job may have among its arguments.
    mask: OnceLock<Mask>,
}

/// Whether a value has a text of a secret. Short ones may be anything.
fn shows(mask: &Mask, value: &Value) -> bool {
    match value {
        Value::Str(text) => text.len() >= LONG_ENOUGH && mask.text(text.clone()) != *text,
        Value::List(list) => list.iter().any(|value| shows(mask, value)),
        Value::Map(map) => map.values().any(|value| shows(mask, value)),
        _ => false,
    }
}

impl Conductor {
    /// For an orchestration of a project. Its methods are not to be called within the runtime.
    pub fn new(
        operator: Operator,
        runtime: Handle,
        local: &Local,
        facts: Arc<Facts>,
        name: String,
        hear: Box<Hear>,
    ) -> Self {
        let (mailbox, jobs) = (Mutex::default(), Mutex::default());
        Self {
            shared: Arc::new(Shared { operator, runtime, mailbox, jobs, hear }),
            name,
            depth: 0,
            project: local.project.clone(),
            root: local.root.clone(),
            options: local.options().clone(),
            facts,
            mask: OnceLock::new(),
        }
    }

    /// Keeps the secrets of this machine's settings out of jobs. The first call wins.
    pub fn hide(&self, mask: Mask) {
        let _ = self.mask.set(mask);
    }

    /// The jobs that were sent, in their order.
    pub fn jobs(&self) -> Vec<StepJob> {
        self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps events from now on, for steps that wait for them.
    pub fn listen(&self) -> Result<(), OperatorError> {
        let mut mailbox = self.shared.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        if mailbox.is_some() {
            return Ok(());
        }
        let kept = Arc::new(Mailbox::default());
        let mut events = self.shared.runtime.block_on(self.shared.operator.events())?;
        let of_task = kept.clone();
        self.shared.runtime.spawn(async move {
            while let Some(happened) = events.next().await {
                of_task.put(happened);
            }
            of_task.close();
        });
        *mailbox = Some(kept);
        Ok(())
    }

    /// Waits for an answer, until the run is interrupted.
    pub(super) fn ask<T>(
        &self,
        cancel: &Cancel,
        answer: impl Future<Output = Result<T, OperatorError>>,
    ) -> Result<T, String> {
        self.shared.runtime.block_on(async {
            tokio::select! {
                answer = answer => answer.map_err(|e| e.to_string()),
                () = cancelled(cancel) => Err("interrupted before there was an answer".to_owned()),
            }
        })
    }

    /// A job to its end, which comes early when the run is interrupted: then it is told to stop.
    pub(super) fn job(
        &self,
        step: &str,
        target: &str,
        call: Call,
        sending: &Sending,
        cancel: &Cancel,
    ) -> Result<Report, String> {
        if let Some(mask) = self.mask.get()
            && (call.args.iter().any(|value| shows(mask, value))
                || call.kwargs.values().any(|value| shows(mask, value)))
        {
            return Err(format!(
                "the arguments of `{}` hold a secret of the settings, which would be kept in the job's record; let the peels have it in their own settings",
                call.function
            ));
        }
        let prepared = self.ask(cancel, self.shared.operator.prepare(target, call, sending))?;
        let mut job = prepared.ok_or_else(|| format!("no peel matches `{target}`"))?;
        job.metadata.insert("orchestration".to_owned(), self.name.clone());
        job.metadata.insert("step".to_owned(), step.to_owned());
        let (jid, count) = (job.jid.clone(), job.targets.count);
        let operator = &self.shared.operator;
        self.shared.runtime.block_on(async {
            let running = operator.run(job, |heard| (self.shared.hear)(step, count, &heard));
            tokio::pin!(running);
            tokio::select! {
                report = &mut running => return report.map_err(|e| e.to_string()),
                () = cancelled(cancel) => {}
            }
            let stopping = async {
                // It may be on its way to a master still.
                while operator
                    .cancel(&jid, Some("the orchestration was interrupted".to_owned()))
                    .await
                    .is_err()
                {
                    tokio::time::sleep(AGAIN).await;
                }
                std::future::pending::<Infallible>().await
            };
            tokio::select! {
                report = &mut running => report.map_err(|e| e.to_string()),
                never = stopping => match never {},
                () = tokio::time::sleep(STOPPED) => {
                    Err(format!("interrupted; the job {jid} was told to stop, and has not ended yet"))
                }
            }
        })
    }

    /// One within this one.
    pub(super) fn within(&self, name: String, options: LocalOptions) -> Result<Self, String> {
        if self.depth >= MAX_DEPTH {
            return Err(format!(
                "orchestrations run each other, {MAX_DEPTH} deep; does `{name}` run itself?"
            ));
        }
        Ok(Self {
            shared: self.shared.clone(),
            name,
            depth: self.depth + 1,
            project: self.project.clone(),
            root: self.root.clone(),
            options,
            facts: self.facts.clone(),
            mask: OnceLock::new(),
        })
    }

    /// This machine's project under the conductor's options.
    pub(super) fn local(&self, cancel: &Cancel) -> Local {
        let local = Local::with_project(
            self.project.clone(),
            self.root.clone(),
            self.options.clone(),
            cancel.clone(),
        );
        local.set_facts(self.facts.clone());
        local
    }
}

/// Completes when the end was asked for.
async fn cancelled(cancel: &Cancel) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(LOOK).await;
    }
}

impl Fleet for Conductor {
    fn matching(&self, target: &str) -> Result<Vec<String>, String> {
        let (targets, _) = self.ask(&Cancel::default(), self.shared.operator.resolve(target))?;
        if targets.peels.is_empty() && targets.count > 0 {
            return Err(format!("`{target}` matches {} peels, too many to name", targets.count));
        }
        Ok(targets.peels.iter().map(ToString::to_string).collect())
    }

    fn run(&self, order: &Order, cancel: &Cancel) -> Result<Done, String> {
        let call = Call {
            function: order.function.clone(),
            args: order.args.clone(),
            kwargs: order.kwargs.clone(),
            test: order.test,
        };
        let sending = Sending {
            timeout_ms: Some((order.timeout_s * 1000.0) as u64),
            batch: order.batch.clone(),
            batch_wait_ms: (order.batch_wait_s * 1000.0) as u64,
            fail_limit: order.batch.as_ref().and(order.fail_limit),
            subset: order.subset,
        };
        let report = self.job(&order.step, &order.target, call, &sending, cancel)?;
        let done = report::done(&report);
        let job = StepJob { step: order.step.to_string(), report };
        self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner).push(job);
        Ok(done)
    }

    fn wait(&self, wait: &Wait, cancel: &Cancel) -> Result<Vec<Event>, String> {
        self.listen().map_err(|e| format!("events cannot be listened to: {e}"))?;
        let mailbox = self.shared.mailbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mailbox = mailbox.ok_or("events cannot be listened to")?;
        mailbox.take(wait, cancel)
    }

    fn call(&self, runner: &str, args: &Map, test: bool, cancel: &Cancel) -> Result<Answer, String> {
        self.runner(runner, args, test, cancel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zester_compiler::{project::read_yaml, settings::Settings};

    #[test]
    fn a_secret_among_arguments_is_seen() {
        let value = read_yaml("{db: {password: hunter2-long, pin: short}, plain: hello-world}").unwrap();
        let path = |text: &str| text.split('.').map(str::to_owned).collect();
        let mut settings = Settings::empty();
        settings.value = Arc::new(value);
        settings.secret_paths = vec![path("db.password"), path("db.pin")];
        let mask = settings.mask();
        let seen = |text: &str| shows(&mask, &read_yaml(text).unwrap());
        assert!(seen("{a: [x, {b: 'connect with hunter2-long'}]}"));
        assert!(!seen("{a: [hello-world, 17, true, short]}"));
    }
}
