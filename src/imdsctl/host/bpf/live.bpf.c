/* The live rehearsal: a cgroup's connections to the metadata service go to a proxy of ours.
 *
 * Attached to one cgroup. A TCP connect to 169.254.169.254:80 or [fd00:ec2::254]:80 is sent to the
 * proxy's port on the loopback of the same network namespace; everything else is untouched. Every
 * way out is the way to the real service: no lease (the proxy has stopped renewing it), no proxy in
 * this network namespace, a socket bound to a device, a socket of the proxy itself.
 */
#include "kernel.h"

#define IMDS_PORT NET16(80)
#define IMDS_V4 NET32(0xa9fea9feu) /* 169.254.169.254 */
#define LOOPBACK_V4 NET32(0x7f000001u)
#define IMDS_V6_0 NET32(0xfd000ec2u) /* fd00:ec2::254 */
#define IMDS_V6_3 NET32(0x00000254u)
#define MAPPED NET32(0x0000ffffu) /* ::ffff:a.b.c.d */

enum counter { REDIRECTED, NO_DOOR, BOUND_TO_DEVICE, LAPSED, UNATTRIBUTED, COUNTERS };

struct lease {
	u64 until; /* CLOCK_MONOTONIC, nanoseconds */
};

/* The proxy's ports in one network namespace, in network byte order; 0 where it has none. */
struct doors {
	u16 v4;
	u16 v6;
};

/* Who connected. Python reads this layout: redirect.py's CALLER. */
struct caller {
	u64 netns;
	u64 at; /* CLOCK_MONOTONIC, nanoseconds */
	u64 cookie;
	u32 pid;
	u32 uid;
	u16 door;   /* the port it was sent to, network byte order */
	u16 family; /* on the wire: AF_INET also for an IPv4-mapped IPv6 address */
	u32 pad;
	char comm[16];
};

/* A connection, as its other end sees it. Python builds this layout: redirect.py's FLOW. */
struct flow {
	u64 netns;
	u16 port; /* the client's, host byte order */
	u16 family;
	u32 pad;
};

struct map SEC("maps") lease = {MAP_ARRAY, 4, sizeof(struct lease), 1, 0};
struct map SEC("maps") counters = {MAP_ARRAY, 4, sizeof(u64), COUNTERS, 0};
struct map SEC("maps") doors = {MAP_HASH, sizeof(u64), sizeof(struct doors), 4096, 0};
struct map SEC("maps") callers = {MAP_LRU_HASH, sizeof(u64), sizeof(struct caller), 16384, 0};
struct map SEC("maps") flows = {MAP_HASH, sizeof(struct flow), sizeof(struct caller), 16384, 0};
struct map SEC("maps") own = {MAP_LRU_HASH, sizeof(u64), sizeof(u8), 4096, 0};
struct map SEC("maps") learned = {MAP_HASH, sizeof(u64), sizeof(u64), 64, 0};

INLINE void count(u32 which)
{
	u64 *value = bpf_map_lookup_elem(&counters, &which);

	if (value)
		__sync_fetch_and_add(value, 1);
}

/* The port of the proxy for this connection, network byte order; 0: leave it alone. */
INLINE u16 door_for(struct bpf_sock_addr *ctx, u16 family)
{
	u32 zero = 0;
	u64 cookie = bpf_get_socket_cookie(ctx);
	u64 now = bpf_ktime_get_ns();
	u64 netns = bpf_get_netns_cookie(ctx);
	struct bpf_sock *sk = (struct bpf_sock *)ctx->sk;
	struct lease *held = bpf_map_lookup_elem(&lease, &zero);
	struct doors *open;
	struct caller who;
	u16 door;

	if (bpf_map_lookup_elem(&own, &cookie))
		return 0;
	if (!held || now > held->until) {
		count(LAPSED);
		return 0;
	}
	/* Loopback cannot be reached through another device. */
	if (sk && sk->bound_dev_if) {
		count(BOUND_TO_DEVICE);
		return 0;
	}
	open = bpf_map_lookup_elem(&doors, &netns);
	door = open ? (family == AF_INET ? open->v4 : open->v6) : 0;
	if (!door) {
		count(NO_DOOR);
		return 0;
	}
	__builtin_memset(&who, 0, sizeof(who));
	who.netns = netns;
	who.at = now;
	who.cookie = cookie;
	who.pid = bpf_get_current_pid_tgid() >> 32;
	who.uid = (u32)bpf_get_current_uid_gid();
	who.door = door;
	who.family = family;
	bpf_get_current_comm(who.comm, sizeof(who.comm));
	bpf_map_update_elem(&callers, &cookie, &who, ANY);
	count(REDIRECTED);
	return door;
}

SEC("cgroup/connect4")
int live_connect4(struct bpf_sock_addr *ctx)
{
	u16 door;

	if (ctx->user_ip4 != IMDS_V4 || ctx->user_port != IMDS_PORT || ctx->protocol != IPPROTO_TCP)
		return 1;
	door = door_for(ctx, AF_INET);
	if (door) {
		ctx->user_ip4 = LOOPBACK_V4;
		ctx->user_port = door;
	}
	return 1;
}

SEC("cgroup/connect6")
int live_connect6(struct bpf_sock_addr *ctx)
{
	u32 a = ctx->user_ip6[0], b = ctx->user_ip6[1], c = ctx->user_ip6[2], d = ctx->user_ip6[3];
	u16 door;

	if (ctx->user_port != IMDS_PORT || ctx->protocol != IPPROTO_TCP)
		return 1;
	if (a == 0 && b == 0 && c == MAPPED && d == IMDS_V4) {
		door = door_for(ctx, AF_INET);
		if (door) {
			ctx->user_ip6[3] = LOOPBACK_V4;
			ctx->user_port = door;
		}
	} else if (a == IMDS_V6_0 && b == 0 && c == 0 && d == IMDS_V6_3) {
		door = door_for(ctx, AF_INET6);
		if (door) {
			ctx->user_ip6[0] = 0;
			ctx->user_ip6[3] = NET32(1);
			ctx->user_port = door;
		}
	}
	return 1;
}

/* The client's port is chosen after the connect hooks: note who it belongs to before the first
 * packet leaves, so that the proxy finds it with the connection it accepts. */
SEC("sockops")
int live_established(struct bpf_sock_ops *ctx)
{
	struct caller *who;
	struct flow at;
	u64 cookie;

	if (ctx->op != SOCK_OPS_TCP_CONNECT)
		return 1;
	cookie = bpf_get_socket_cookie(ctx);
	who = bpf_map_lookup_elem(&callers, &cookie);
	/* A socket may have connected to the service once and to something else now. */
	if (!who || NET32(ctx->remote_port) != NET16(who->door))
		return 1;
	__builtin_memset(&at, 0, sizeof(at));
	at.netns = who->netns;
	at.port = ctx->local_port;
	at.family = who->family;
	if (bpf_map_update_elem(&flows, &at, who, ANY))
		count(UNATTRIBUTED);
	return 1;
}

/* Clients that ask whom they are connected to hear what they asked for. */
SEC("cgroup/getpeername4")
int live_getpeername4(struct bpf_sock_addr *ctx)
{
	struct caller *who;
	u64 cookie;

	if (ctx->user_ip4 != LOOPBACK_V4)
		return 1;
	cookie = bpf_get_socket_cookie(ctx);
	who = bpf_map_lookup_elem(&callers, &cookie);
	if (who && ctx->user_port == who->door) {
		ctx->user_ip4 = IMDS_V4;
		ctx->user_port = IMDS_PORT;
	}
	return 1;
}

SEC("cgroup/getpeername6")
int live_getpeername6(struct bpf_sock_addr *ctx)
{
	u32 c = ctx->user_ip6[2], d = ctx->user_ip6[3];
	struct caller *who;
	u64 cookie;

	if (ctx->user_ip6[0] || ctx->user_ip6[1])
		return 1;
	if (!(c == MAPPED && d == LOOPBACK_V4) && !(c == 0 && d == NET32(1)))
		return 1;
	cookie = bpf_get_socket_cookie(ctx);
	who = bpf_map_lookup_elem(&callers, &cookie);
	if (!who || ctx->user_port != who->door)
		return 1;
	if (c == MAPPED) {
		ctx->user_ip6[3] = IMDS_V4;
	} else {
		ctx->user_ip6[0] = IMDS_V6_0;
		ctx->user_ip6[3] = IMDS_V6_3;
	}
	ctx->user_port = IMDS_PORT;
	return 1;
}

/* Kernels before 5.14 tell a socket's network namespace to programs only: attached to our own
 * cgroup for a moment, this one answers for sockets that ask by their cookie. */
SEC("cgroup/connect4")
int learn_netns(struct bpf_sock_addr *ctx)
{
	u64 cookie = bpf_get_socket_cookie(ctx);
	u64 *asked = bpf_map_lookup_elem(&learned, &cookie);

	if (asked)
		*asked = bpf_get_netns_cookie(ctx);
	return 1;
}

char license_text[] SEC("license") = "Apache-2.0";
