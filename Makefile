# The few commands a newcomer needs. Each does its own set-up.

.PHONY: demo test check bench compare

# A tour: one machine on a scratch directory, a tree full of mistakes, then a fleet on loopback.
demo:
	cargo build --release --locked -p zester
	tests/demo.sh target/release/zester
	tests/demo-fleet.sh target/release/zester

# Every test, end-to-end ones included.
test:
	cargo test --workspace --locked

# What a commit must pass, without the slow tests.
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

# Compares with Salt and CFEngine in one run; installs them for itself.
bench:
	cargo build --release --locked -p zester
	tests/bench/run

# Applies the same states with Salt and with zester and compares what they say and leave; installs Salt for itself. Needs root of a
# Debian-like system, on which nothing is changed.
compare:
	tests/compare/run
