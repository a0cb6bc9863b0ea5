//! Every request with the cursor drawn: `<|>` marks the place in a tree of files, the answer is asked of a real server
//! over its protocol, and what comes back is written in a few words.

mod actions;
mod completion;
mod custom;
mod editor;
mod given;
mod names;
mod requisites;
mod structure;
mod typed;

use editor::Editor;

/// A small project: states that require each other, settings, templates, a top file, an inventory.
pub(super) const PROJECT: &str = "\
-- zester.yaml
nodegroups:
  web: web*
facts: [facts]
-- facts/web-01.yaml
os: {family: debian, platform: debian}
-- states/top.zy
base:
  N@web:
    - web
  '*':
    - common
-- states/common.zy
# What every machine has.
tools:
  pkg.installed:
    - pkgs: [curl, git]
-- states/web/init.zy
include:
  - common
{% from 'web/map.jinja' import nginx, site with context %}
{% set port = settings.nginx.port %}
nginx:
  pkg.installed:
    - name: {{ nginx.package }}
  service.running:
    - enable: true
    - require:
      - pkg: nginx
/etc/nginx/nginx.conf:
  file.managed:
    - source: zester://web/files/nginx.conf
    - template: jinja
    - mode: '0644'
    - watch_in:
      - service: nginx
{{ site('example', port) }}
-- states/web/map.jinja
{% set nginx = {'package': 'nginx'} %}
{% macro site(name, port=80) %}
site {{ name }}:
  test.nop:
    - comment: {{ port }}
{% endmacro %}
-- states/web/files/nginx.conf
listen {{ settings.nginx.port }};
-- settings/top.zy
base:
  '*':
    - nginx
-- settings/nginx.zy
nginx:
  port: 8080
  workers: 4
  tls: {enabled: true}
";
