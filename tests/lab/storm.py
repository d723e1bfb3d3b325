# SPDX-License-Identifier: MIT
"""A storm of random changes of the network, and what was told of it against what there is.

storm.py setup PAIRS                    ip -batch: PAIRS veth pairs (s0..., t0...)
storm.py make SEED CHANGES PAIRS NS     ip -force -batch: so many changes, some by moving to namespace NS
storm.py check EVENTS MONITOR TABLE     mifcont's JSON lines, `ip monitor`'s text or gale's, `ip -j addr` after it all
"""
import json
import random
import re
import sys


def pair(i):
    return [f"link add s{i} type veth peer name t{i}",
            f"link set s{i} addrgenmode none", f"link set t{i} addrgenmode none",
            f"link set t{i} up", f"link set s{i} up"]


def setup(pairs):
    lines = ["link add br0 type bridge", "link set br0 addrgenmode none", "link set br0 up"]
    for i in range(pairs):
        lines += pair(i)
    return lines


def make(seed, changes, pairs, ns):
    r = random.Random(seed)
    lines, added = [], []
    while len(lines) < changes:
        i, what = r.randrange(pairs), r.random()
        if what < 0.55:
            if r.random() < 0.7:
                a = f"10.{r.randrange(20, 60)}.{r.randrange(250)}.{r.randrange(1, 250)}/{r.choice((24, 32))}"
                lines.append(f"addr add {a} dev s{i}")
            else:
                a = f"2001:db8:{r.randrange(1, 9999):x}::{r.randrange(1, 9999):x}/64"
                lines.append(f"addr add {a} dev s{i} nodad")
            added.append((a, i))
        elif what < 0.975:
            if added:
                a, k = added.pop(r.randrange(len(added)))
                lines.append(f"addr del {a} dev s{k}")
        elif what < 0.985:
            lines.append(f"link set {r.choice('st')}{i} {r.choice(('down', 'up', 'up'))}")
        elif what < 0.989:
            # To another name and back; what is in between meant it is lost on it.
            lines += [f"link set s{i} name x{i}", f"link set x{i} name s{i}"]
        elif what < 0.992:
            lines += [f"link set s{i} master br0", f"link set s{i} nomaster"][:r.randrange(1, 3)]
        elif what < 0.998:
            lines.append(f"route replace 10.{r.randrange(100, 200)}.0.0/16 dev s{i}")
        elif what < 0.999:
            lines += [f"link del s{i}"] + pair(i)
        else:
            # Its peer goes with it, out of sight, and both are made anew.
            lines += [f"link set s{i} netns {ns}", f"link del t{i}"] + pair(i)
    return lines


def check(events, monitor, table):
    seen = set()  # (ifindex, address) as `ip monitor` saw it
    for line in open(monitor, errors="replace"):
        m = re.match(r"(?:\[[^\]]*\])?(?:Deleted )?(\d+): .*?\binet6? ([0-9a-f.:]+)", line)
        if m:
            seen.add((int(m[1]), m[2]))
    there = {}  # ifindex: {addresses, domain: {addresses}}
    names, problems, announced = {}, [], 0
    usable = set()
    for number, line in enumerate(open(events), 1):
        e = json.loads(line)
        what, i, address = e["event"], e.get("ifindex"), e.get("address")
        key = (e.get("pvd"), address, e.get("prefix"))
        wrong = None
        if what == "Interface Announcement":
            there.setdefault(i, {"addresses": set(), "domains": set()})
            names[i] = e["interface"]
        elif what in ("Routes changed",) or i is None:
            continue
        elif i not in there:
            wrong = "of an interface that was not announced"
        elif what == "No Interface Announcement":
            if there[i]["addresses"] or there[i]["domains"]:
                wrong = "before what was of it: %r" % there[i]
            del there[i]
            usable.discard(i)
        elif what == "Interface is going up":
            usable.add(i)
        elif what == "Interface is going away":
            usable.discard(i)
        elif what == "Provisioning Domain Announcement":
            wrong = e["pvd"] in there[i]["domains"] and "twice"
            there[i]["domains"].add(e["pvd"])
        elif what == "No Provisioning Domain Announcement":
            if e["pvd"] not in there[i]["domains"]:
                wrong = "never announced"
            if any(k[0] == e["pvd"] for k in there[i]["addresses"]):
                wrong = "before its addresses"
            there[i]["domains"].discard(e["pvd"])
        elif what == "Address Announcement":
            announced += 1
            if key in there[i]["addresses"]:
                wrong = "twice"
            if e.get("pvd") and e["pvd"] not in there[i]["domains"]:
                wrong = "before its domain"
            if (i, address) not in seen and e["reason"] != "present":
                wrong = "ip monitor never saw it"
            there[i]["addresses"].add(key)
        elif what == "No Address Announcement":
            if key not in there[i]["addresses"]:
                wrong = "never announced"
            there[i]["addresses"].discard(key)
        if wrong:
            problems.append(f"line {number}: {wrong}: {line.strip()}")
    wanted = {}
    for link in json.load(open(table)):
        if "LOOPBACK" in link["flags"] or "master" in link:
            continue
        up = {"UP", "LOWER_UP"} <= set(link["flags"]) and link["operstate"] in ("UP", "UNKNOWN")
        wanted[link["ifindex"]] = (link["ifname"], {
            (a["local"], a["prefixlen"]) for a in link.get("addr_info", ()) if up})
    for i in sorted(set(wanted) | set(there)):
        name, addresses = wanted.get(i, (None, set()))
        told = {k[1:] for k in there.get(i, {"addresses": set()})["addresses"]}
        if (i in there) != (i in wanted) or (i in there and names[i] != name) or told != addresses:
            problems.append(f"in the end: {i} is {name} {sorted(addresses)}, told {names.get(i)} {sorted(told)}")
    print(f"{announced} announcements of addresses, {len(seen)} addresses seen by ip monitor, {len(wanted)} interfaces")
    print("\n".join(problems[:20]))
    return bool(problems)


if __name__ == "__main__":
    if sys.argv[1] == "check":
        sys.exit(check(*sys.argv[2:5]))
    numbers = [int(a) for a in sys.argv[2:5]]
    print("\n".join(setup(*numbers) if sys.argv[1] == "setup" else make(*numbers, sys.argv[5])))
