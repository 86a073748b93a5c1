// What a lab looks like, as values: which hosts on which network, and the commands that make it so. Running them is lab.ts's.

/** One machine of the lab. */
export interface HostPlan {
  /** Up to 8 letters and digits: part of the names of namespaces and interfaces, which have 15 characters. */
  readonly name: string;
  /** Hosts of a zone share a bridge. */
  readonly zone: string;
  /** Each way, in Mbit/s; as fast as it goes when absent. */
  readonly mbit?: number;
}

/** A whole lab. */
export interface LabPlan {
  readonly hosts: readonly HostPlan[];
  /** Of the link between two zones, each way, in Mbit/s; as fast as it goes when absent. */
  readonly borderMbit?: number;
}

/** A host with its place in the network. */
export interface Host extends HostPlan {
  readonly address: string;
  readonly namespace: string;
  /** The other end of its cable, in the namespace of the bridges: what it receives, the host has sent. */
  readonly port: string;
}

/** Begins the name of every namespace that a lab makes. */
export const prefix = 'starlab-';

/** Who builds a lab: its namespaces carry it, so that several stand side by side and what is left of dead ones is known. */
export interface Owner {
  readonly pid: number;
  /** In ticks since the machine started: process ids come again. */
  readonly startedAt: number;
}

/** The name of a host's namespace; of the one that holds the bridges, when it is not said which. */
export function namespaceOf({ pid, startedAt }: Owner, host = 'switch'): string {
  return `${prefix}${pid}-${startedAt}-${host}`;
}

/** Whose namespace it is; nothing when no lab gave it its name. */
export function ownerOf(namespace: string): Owner | undefined {
  const [, pid, startedAt] = new RegExp(`^${prefix}(\\d+)-(\\d+)-[a-z0-9]+$`).exec(namespace) ?? [];
  return pid === undefined || startedAt === undefined ? undefined : { pid: Number(pid), startedAt: Number(startedAt) };
}
/** The interface inside of a host. */
export const inside = 'eth0';
const maskBits = 16;
/**
 * Bytes of a packet, for every program in the lab alike. With 1,500, handling packets takes two thirds of a machine of two cores when 16 hosts send at
 * 40 Mbit/s (26 CPU seconds a gigabyte for bare TCP), and what is measured is the machine.
 */
const mtu = 9000;

/**
 * For every program in the lab alike, and on every machine: what Linux has where nobody chose, CUBIC, does over ways as short as these what Reno does, and that
 * alone may be chosen in any namespace. With BBR, which some machines have, sixteen senders overfill a cable's queue for good: a tenth of all packets is lost.
 */
const congestionControl = 'reno';

/** Places the hosts. @throws {RangeError} when there are more than addresses, or a name does not fit. */
export function place(plan: LabPlan, owner: Owner): readonly Host[] {
  if (plan.hosts.length > 200) throw new RangeError(`${plan.hosts.length} hosts: a lab has room for 200`);
  for (const { name } of plan.hosts) if (!/^[a-z0-9]{1,8}$/.test(name) || name === 'switch') throw new RangeError(`'${name}' is not a name for a host: 1 to 8 letters and digits, and not 'switch'`);
  return plan.hosts.map((host, at) => ({ ...host, address: `10.77.0.${at + 1}`, namespace: namespaceOf(owner, host.name), port: `p-${host.name}` }));
}

/** Zones in the order of their first hosts. */
export function zonesOf(plan: LabPlan): readonly string[] {
  return [...new Set(plan.hosts.map(({ zone }) => zone))];
}

/** The ends of the link between the first zone and another one, both in the namespace of the bridges. */
export function borderOf(zone: number): { readonly near: string; readonly far: string } {
  return { near: `b-${zone}-near`, far: `b-${zone}-far` };
}

/** Commands, in order, each for the shell's `ip`, `tc` or `ethtool`. */
export function commandsFor(plan: LabPlan, owner: Owner): readonly (readonly string[])[] {
  const hosts = place(plan, owner);
  const switchNamespace = namespaceOf(owner);
  const zones = zonesOf(plan);
  const bridge = (zone: string): string => `z-${zones.indexOf(zone)}`;
  const commands: (readonly string[])[] = [['ip', 'netns', 'add', switchNamespace], ['ip', '-n', switchNamespace, 'link', 'set', 'lo', 'up']];
  for (const zone of zones) {
    commands.push(['ip', '-n', switchNamespace, 'link', 'add', bridge(zone), 'type', 'bridge'], ['ip', '-n', switchNamespace, 'link', 'set', bridge(zone), 'up']);
  }
  zones.slice(1).forEach((zone, at) => {
    const { near, far } = borderOf(at + 1);
    commands.push(['ip', '-n', switchNamespace, 'link', 'add', near, 'type', 'veth', 'peer', 'name', far]);
    for (const end of [near, far]) commands.push(['ip', '-n', switchNamespace, 'link', 'set', end, 'mtu', String(mtu)]);
    for (const [end, of] of [[near, zones[0] ?? zone], [far, zone]] as const) {
      commands.push(['ip', '-n', switchNamespace, 'link', 'set', end, 'master', bridge(of), 'up'], ...shape(switchNamespace, end, plan.borderMbit));
    }
  });
  for (const host of hosts) {
    commands.push(
      ['ip', 'netns', 'add', host.namespace],
      ['ip', 'netns', 'exec', host.namespace, 'sysctl', '-qw', `net.ipv4.tcp_congestion_control=${congestionControl}`],
      ['ip', '-n', switchNamespace, 'link', 'add', host.port, 'type', 'veth', 'peer', 'name', inside, 'netns', host.namespace],
      ['ip', '-n', switchNamespace, 'link', 'set', host.port, 'master', bridge(host.zone), 'up'],
      ['ip', '-n', host.namespace, 'link', 'set', 'lo', 'up'],
      ['ip', '-n', host.namespace, 'addr', 'add', `${host.address}/${maskBits}`, 'dev', inside],
      ['ip', '-n', host.namespace, 'link', 'set', inside, 'mtu', String(mtu)],
      ['ip', '-n', switchNamespace, 'link', 'set', host.port, 'mtu', String(mtu)],
      ['ip', '-n', host.namespace, 'link', 'set', inside, 'up'],
      ...shape(host.namespace, inside, host.mbit),
      ...shape(switchNamespace, host.port, host.mbit),
    );
  }
  return commands;
}

/**
 * Bytes that pass a bucket at once at most: what a host sends in one go stays together so far, four packets as one super-packet. By single packets the
 * kernel's timer rings, and a receiver is woken, for each of them: half of what shaping costs this machine, whoever sends. Charged for are all bytes, the
 * headers of every packet too.
 */
const togetherBytes = 4 * mtu;

/** What leaves an interface, leaves it at this rate. Super-packets have to fit into the bucket: ones of 64 KiB would be taken apart there, or pass it whole. */
function shape(namespace: string, device: string, mbit: number | undefined): readonly (readonly string[])[] {
  const offload = [
    ['ip', 'netns', 'exec', namespace, 'ethtool', '-K', device, 'tso', 'on', 'gso', 'on', 'gro', 'off'],
    ['ip', '-n', namespace, 'link', 'set', 'dev', device, 'gso_max_size', String(togetherBytes)],
  ];
  if (mbit === undefined) return offload;
  // A burst of 4 ms, at least what passes at once; a queue of 50 ms, as a switch has.
  const burst = Math.max(Math.round(1.1 * togetherBytes), Math.round((mbit * 1e6) / 8 / 250));
  return [...offload, ['ip', 'netns', 'exec', namespace, 'tc', 'qdisc', 'add', 'dev', device, 'root', 'tbf', 'rate', `${mbit}mbit`, 'burst', `${burst}b`, 'latency', '50ms']];
}
