#!/bin/sh
# Makes a repository `origin` with one commit and a tag.
set -eu
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.com
git init -q -b main origin
git -C origin config user.name a
git -C origin config user.email a@example.com
echo hello > origin/README
git -C origin add README
git -C origin commit -q -m first
git -C origin tag v1
