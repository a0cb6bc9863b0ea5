//! Masters, peels and operators on a real nats-server.

mod bus;
mod chaos;
mod checklist;
mod cluster;
mod crowd;
mod daemon;
mod enrollment;
mod jobs;
mod lab;
mod orchestration;
mod partitions;
mod permissions;
mod sealing;
mod wire;
