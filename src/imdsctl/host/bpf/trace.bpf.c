// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The host trace: who asks the metadata service what, seen where sockets send and receive.
 *
 * Attached to the root of the cgroup v2 tree, so every socket of the machine passes by, in every
 * network namespace. A connect to 169.254.169.254:80 or [fd00:ec2::254]:80 notes who it is, in
 * the caller's own context: a process that lives for less than a millisecond is caught, too. What
 * such a socket sends is copied as far as a request's header goes; of what it receives, the
 * twelve bytes of a status line, never a body. Nothing is changed or held up: all programs return
 * 1, and every event that finds the ring full is counted.
 *
 * The license is one that the kernel takes as compatible with its own, because helpers that read
 * its memory are for such programs only.
 */
#include "kernel.h"

#define IMDS_PORT NET16(80)
#define IMDS_V4 NET32(0xa9fea9feu) /* 169.254.169.254 */
#define IMDS_V6_0 NET32(0xfd000ec2u) /* fd00:ec2::254 */
#define IMDS_V6_3 NET32(0x00000254u)
#define MAPPED NET32(0x0000ffffu) /* ::ffff:a.b.c.d */

#define SOCK_STREAM 1
#define ETH_P_IP NET16(0x0800)
#define STATUS_LINE 12 /* bytes of `HTTP/1.1 200` */
#define FIN 1
#define RST 4

#define PARENTS 6
#define STEPS 20 /* up the tree of directories and mounts */
#define NAME 64
#define EXE 512 /* powers of two, for the verifier's sake */
#define ARGS 512

#define NO_WAKEUP 1
#define FORCE_WAKEUP 2
#define AVAILABLE 0
#define RING_SIZE 1

enum kind { OPENED = 1, SENT, RECEIVED, CLOSED };
enum counter { SEEN_OPENED, SEEN_SENT, SEEN_RECEIVED, SEEN_CLOSED, LOST_OPENED, LOST_SENT,
	       LOST_RECEIVED, LOST_CLOSED, COUNTERS };

#define UNKNOWN 1 /* the connect was not seen */
#define STARTED 2 /* next_seq is set */

/* Whose socket it is. Python reads and writes this layout: host/trace/kernel.py's WHO. */
struct who {
	u64 cgroup;
	u64 netns;
	u64 started; /* CLOCK_BOOTTIME, nanoseconds; 0 where it cannot be read */
	u64 image;   /* differs between what a process was before and after an exec */
	u32 pid;     /* the process, in the first pid namespace */
	u32 thread;
	u32 uid;
	u32 flags;
	u32 next_seq;
	u32 awaiting; /* something was sent, and no answer has begun */
	char comm[16]; /* the process's name; the thread's where that cannot be read */
};

struct head {
	u32 kind;
	u32 family; /* on the wire */
	u64 at;     /* CLOCK_MONOTONIC, nanoseconds */
	u64 cookie;
};

struct parent {
	u64 started;
	u32 pid;
	char comm[16];
	u32 pad;
};

struct opened {
	struct head head;
	struct who who;
	u32 args_size;
	u32 exe_size;
	u32 exe_whole;
	u32 parents_count;
	struct parent parents[PARENTS];
	char args[ARGS];
	char exe[EXE + NAME]; /* the names from the file up, each ended by a zero */
};

struct sent {
	struct head head;
	struct who who;
	u32 seq;
	u32 size; /* of what was sent */
	u32 kept; /* of what follows here */
	u32 port; /* the client's */
};

struct received {
	struct head head;
	u32 seq;
	u8 data[STATUS_LINE];
};

/* Where the running kernel keeps what we read, in bytes; from its BTF. host/trace/kernel.py's OFFSETS. */
struct offsets {
	u32 task_mm, task_group_leader, task_real_parent, task_tgid, task_comm, task_started;
	u32 mm_exe_file, mm_arg_start, mm_arg_end;
	u32 file_mnt, file_dentry;
	u32 dentry_parent, dentry_name;
	u32 vfsmount_root;
	u32 mount_mnt, mount_parent, mount_mountpoint;
};

/* Which image of a process has been told of already. */
struct image {
	u64 image;
	u64 started;
};

struct map SEC("maps") events = {MAP_RINGBUF, 0, 0, 4 << 20, 0};
struct map SEC("maps") counters = {MAP_PERCPU_ARRAY, 4, sizeof(u64), COUNTERS, 0};
struct map SEC("maps") owners = {MAP_LRU_HASH, sizeof(u64), sizeof(struct who), 32768, 0};
struct map SEC("maps") offsets = {MAP_ARRAY, 4, sizeof(struct offsets), 1, 0};
struct map SEC("maps") known = {MAP_LRU_HASH, 4, sizeof(struct image), 8192, 0};

/* The compiler knows the range of a number and leaves the check out; the verifier, which does not,
 * has to see it. */
#define FORGET_RANGE(number) asm volatile("" : "+r"(number))

INLINE void count(u32 which)
{
	u64 *value = bpf_map_lookup_elem(&counters, &which);

	/* Where programs may be preempted, another can count on the same CPU in between. */
	if (value)
		__sync_fetch_and_add(value, 1);
}

/* Who opened a connection is looked up at once; the rest can wait until a few have come. */
INLINE u64 wakeup(void)
{
	u64 waiting = bpf_ringbuf_query(&events, AVAILABLE);

	return waiting > bpf_ringbuf_query(&events, RING_SIZE) / 4 ? FORCE_WAKEUP : NO_WAKEUP;
}

INLINE u64 pointer_at(u64 where, u32 offset)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)(where + offset));
	return value;
}

INLINE u32 number_at(u64 where, u32 offset)
{
	u32 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)(where + offset));
	return value;
}

/* The path of a program file, from the file up: its directories, then those that it is mounted in. */
INLINE void read_exe(struct opened *event, u64 mm, const struct offsets *at)
{
	u64 file = pointer_at(mm, at->mm_exe_file);
	u64 dentry = pointer_at(file, at->file_dentry);
	u64 mount = pointer_at(file, at->file_mnt) - at->mount_mnt;
	u32 size = 0;

	event->exe_whole = 0;
#pragma unroll
	for (int step = 0; step < STEPS; step++) {
		u64 parent = pointer_at(dentry, at->dentry_parent);
		u64 name, room;
		long got;

		if (dentry == parent || dentry == pointer_at(mount + at->mount_mnt, at->vfsmount_root)) {
			u64 above = pointer_at(mount, at->mount_parent);

			if (above == mount || !above) {
				event->exe_whole = 1;
				break;
			}
			dentry = pointer_at(mount, at->mount_mountpoint);
			mount = above;
			continue;
		}
		if (size >= EXE)
			break;
		name = pointer_at(dentry, at->dentry_name);
		/* Here, and not above: kernels before 6.3 forget what they knew of a number when it
		 * was put aside meanwhile. */
		room = size;
		FORGET_RANGE(room);
		got = bpf_probe_read_kernel_str(event->exe + (room & (EXE - 1)), NAME, (void *)name);
		if (got <= 1 || got > NAME)
			break;
		FORGET_RANGE(got);
		size += ((got - 1) & (NAME - 1)) + 1;
		dentry = parent;
	}
	event->exe_size = size;
}

INLINE void read_args(struct opened *event, u64 mm, const struct offsets *at)
{
	u64 start = pointer_at(mm, at->mm_arg_start);
	u64 size = pointer_at(mm, at->mm_arg_end) - start;

	event->args_size = 0;
	if (!size)
		return;
	if (size > ARGS)
		size = ARGS;
	FORGET_RANGE(size);
	size = ((size - 1) & (ARGS - 1)) + 1;
	if (!bpf_probe_read_user(event->args, size, (void *)start))
		event->args_size = size;
}

INLINE void read_parents(struct opened *event, u64 leader, const struct offsets *at)
{
	u64 task = leader;
	u32 found = 0;

#pragma unroll
	for (int level = 0; level < PARENTS; level++) {
		struct parent *one = &event->parents[level];

		/* A parent is the thread that forked. */
		task = pointer_at(pointer_at(task, at->task_real_parent), at->task_group_leader);
		one->pid = number_at(task, at->task_tgid);
		one->started = pointer_at(task, at->task_started);
		bpf_probe_read_kernel(one->comm, sizeof(one->comm),
				      (void *)(task + at->task_comm));
		if (!one->pid)
			break;
		found++;
	}
	event->parents_count = found;
}

INLINE void head_of(struct head *head, u32 kind, u32 family, u64 cookie)
{
	head->kind = kind;
	head->family = family;
	head->at = bpf_ktime_get_ns();
	head->cookie = cookie;
}

INLINE void note_who(struct who *who, struct bpf_sock_addr *ctx)
{
	u64 both = bpf_get_current_pid_tgid();

	__builtin_memset(who, 0, sizeof(*who));
	who->pid = both >> 32;
	who->thread = (u32)both;
	who->uid = (u32)bpf_get_current_uid_gid();
	who->cgroup = bpf_get_current_cgroup_id();
	who->netns = bpf_get_netns_cookie(ctx);
}

/* With what the kernel's memory tells: for kernels with BTF that allow it. */
INLINE void opened_rich(struct bpf_sock_addr *ctx, u32 family)
{
	u32 zero = 0;
	u64 cookie = bpf_get_socket_cookie(ctx);
	const struct offsets *at = bpf_map_lookup_elem(&offsets, &zero);
	u64 leader, mm;
	struct opened *event;
	struct image *before, now;
	struct who who;

	note_who(&who, ctx);
	if (!at)
		return;
	leader = pointer_at(bpf_get_current_task(), at->task_group_leader);
	mm = pointer_at(bpf_get_current_task(), at->task_mm);
	who.started = pointer_at(leader, at->task_started);
	who.image = mm;
	bpf_probe_read_kernel(who.comm, sizeof(who.comm), (void *)(leader + at->task_comm));
	bpf_map_update_elem(&owners, &cookie, &who, ANY);
	before = bpf_map_lookup_elem(&known, &who.pid);
	if (before && before->image == who.image && before->started == who.started)
		return;
	count(SEEN_OPENED);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(LOST_OPENED);
		return;
	}
	head_of(&event->head, OPENED, family, cookie);
	event->who = who;
	read_exe(event, mm, at);
	read_args(event, mm, at);
	read_parents(event, leader, at);
	bpf_ringbuf_submit(event, 0);
	now.image = who.image;
	now.started = who.started;
	bpf_map_update_elem(&known, &who.pid, &now, ANY);
}

/* Without: newer kernels want CAP_PERFMON even for the name. */
INLINE void opened_plain(struct bpf_sock_addr *ctx, u32 family, const int named)
{
	u64 cookie = bpf_get_socket_cookie(ctx);
	struct sent *event;
	struct who who;

	note_who(&who, ctx);
	if (named)
		bpf_get_current_comm(who.comm, sizeof(who.comm));
	bpf_map_update_elem(&owners, &cookie, &who, ANY);
	count(SEEN_OPENED);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(LOST_OPENED);
		return;
	}
	head_of(&event->head, OPENED, family, cookie);
	event->who = who;
	event->seq = event->size = event->kept = event->port = 0;
	bpf_ringbuf_submit(event, 0);
}

INLINE int is_imds4(struct bpf_sock_addr *ctx)
{
	return ctx->user_ip4 == IMDS_V4 && ctx->user_port == IMDS_PORT && ctx->type == SOCK_STREAM;
}

/* The family on the wire, 0 for another address. */
INLINE u32 is_imds6(struct bpf_sock_addr *ctx)
{
	u32 a = ctx->user_ip6[0], b = ctx->user_ip6[1], c = ctx->user_ip6[2], d = ctx->user_ip6[3];

	if (ctx->user_port != IMDS_PORT || ctx->type != SOCK_STREAM)
		return 0;
	if (a == 0 && b == 0 && c == MAPPED && d == IMDS_V4)
		return AF_INET;
	return a == IMDS_V6_0 && b == 0 && c == 0 && d == IMDS_V6_3 ? AF_INET6 : 0;
}

SEC("cgroup/connect4")
int rich_connect4(struct bpf_sock_addr *ctx)
{
	if (is_imds4(ctx))
		opened_rich(ctx, AF_INET);
	return 1;
}

SEC("cgroup/connect6")
int rich_connect6(struct bpf_sock_addr *ctx)
{
	u32 family = is_imds6(ctx);

	if (family)
		opened_rich(ctx, family);
	return 1;
}

SEC("cgroup/connect4")
int plain_connect4(struct bpf_sock_addr *ctx)
{
	if (is_imds4(ctx))
		opened_plain(ctx, AF_INET, 1);
	return 1;
}

SEC("cgroup/connect6")
int plain_connect6(struct bpf_sock_addr *ctx)
{
	u32 family = is_imds6(ctx);

	if (family)
		opened_plain(ctx, family, 1);
	return 1;
}

SEC("cgroup/connect4")
int bare_connect4(struct bpf_sock_addr *ctx)
{
	if (is_imds4(ctx))
		opened_plain(ctx, AF_INET, 0);
	return 1;
}

SEC("cgroup/connect6")
int bare_connect6(struct bpf_sock_addr *ctx)
{
	u32 family = is_imds6(ctx);

	if (family)
		opened_plain(ctx, family, 0);
	return 1;
}

/* Whether a socket's other end is the metadata service. The socket's own idea of it counts, so
 * that a rule of the packet filter that sends it elsewhere does not matter. */
INLINE int of_imds(struct bpf_sock *sk)
{
	u32 a, b, c, d;

	if (sk->dst_port != IMDS_PORT || sk->protocol != IPPROTO_TCP)
		return 0;
	if (sk->family == AF_INET)
		return sk->dst_ip4 == IMDS_V4;
	if (sk->family != AF_INET6)
		return 0;
	a = sk->dst_ip6[0];
	b = sk->dst_ip6[1];
	c = sk->dst_ip6[2];
	d = sk->dst_ip6[3];
	if (b)
		return 0;
	return (a == 0 && c == MAPPED && d == IMDS_V4) ||
	       (a == IMDS_V6_0 && c == 0 && d == IMDS_V6_3);
}

struct segment {
	u32 family;
	u32 port; /* the client's */
	u32 seq;
	u32 start; /* of the payload in the packet */
	u32 size;  /* of the payload */
	u32 flags;
};

/* A packet's TCP header; the packet begins with its IP header. 0 where it is no such packet. */
INLINE int read_segment(struct __sk_buff *skb, struct segment *found)
{
	u8 tcp[20];
	u32 at = 40;

	found->family = AF_INET6;
	if (skb->protocol == ETH_P_IP) {
		u8 first;

		if (bpf_skb_load_bytes(skb, 0, &first, 1))
			return 0;
		at = (first & 15) * 4;
		found->family = AF_INET;
	}
	if (bpf_skb_load_bytes(skb, at, tcp, sizeof(tcp)))
		return 0;
	found->seq = ((u32)tcp[4] << 24) | ((u32)tcp[5] << 16) | ((u32)tcp[6] << 8) | tcp[7];
	found->start = at + (tcp[12] >> 4) * 4;
	found->flags = tcp[13];
	found->size = skb->len > found->start ? skb->len - found->start : 0;
	return 1;
}

INLINE void say_closed(u64 cookie, u32 family)
{
	struct received *event;

	count(SEEN_CLOSED);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(LOST_CLOSED);
		return;
	}
	head_of(&event->head, CLOSED, family, cookie);
	event->seq = 0;
	__builtin_memset(event->data, 0, sizeof(event->data));
	bpf_ringbuf_submit(event, wakeup());
}

/* `room`, a power of two known when this is compiled, is what of the payload is kept at most. */
INLINE void say_sent(struct __sk_buff *skb, const struct who *who, const struct segment *at,
		     u64 cookie, const u32 room)
{
	struct sent *event = bpf_ringbuf_reserve(&events, sizeof(struct sent) + room, 0);
	u32 kept = at->size > room ? room : at->size;

	if (!event) {
		count(LOST_SENT);
		return;
	}
	head_of(&event->head, SENT, at->family, cookie);
	event->who = *who;
	event->seq = at->seq;
	event->size = at->size;
	event->port = at->port;
	FORGET_RANGE(kept);
	kept = ((kept - 1) & (room - 1)) + 1;
	event->kept = kept;
	if (bpf_skb_load_bytes(skb, at->start, (u8 *)event + sizeof(*event), kept))
		event->kept = 0;
	bpf_ringbuf_submit(event, wakeup());
}

SEC("cgroup_skb/egress")
int trace_egress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = (struct bpf_sock *)skb->sk;
	struct segment at;
	struct who *who;
	u64 cookie;

	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk || !of_imds(sk) || !read_segment(skb, &at))
		return 1;
	if (!at.size && !(at.flags & (FIN | RST)))
		return 1;
	at.port = sk->src_port;
	cookie = bpf_get_socket_cookie(skb);
	who = bpf_map_lookup_elem(&owners, &cookie);
	if (!who) {
		struct who nobody;

		__builtin_memset(&nobody, 0, sizeof(nobody));
		nobody.flags = UNKNOWN;
		bpf_map_update_elem(&owners, &cookie, &nobody, NOEXIST);
		who = bpf_map_lookup_elem(&owners, &cookie);
		if (!who)
			return 1;
	}
	/* What was sent before is sent again where its confirmation was lost. */
	if (at.size && (!(who->flags & STARTED) || (int)(at.seq + at.size - who->next_seq) > 0)) {
		who->next_seq = at.seq + at.size;
		who->flags |= STARTED;
		who->awaiting = 1;
		count(SEEN_SENT);
		if (at.size <= 256)
			say_sent(skb, who, &at, cookie, 256);
		else if (at.size <= 512)
			say_sent(skb, who, &at, cookie, 512);
		else if (at.size <= 1024)
			say_sent(skb, who, &at, cookie, 1024);
		else
			say_sent(skb, who, &at, cookie, 4096);
	}
	if ((at.flags & (FIN | RST)) && who->awaiting) {
		who->awaiting = 0;
		say_closed(cookie, at.family);
	}
	return 1;
}

SEC("cgroup_skb/ingress")
int trace_ingress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = (struct bpf_sock *)skb->sk;
	struct received *event;
	u8 line[STATUS_LINE];
	struct segment at;
	struct who *who;
	u64 cookie;

	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk || !of_imds(sk) || !read_segment(skb, &at))
		return 1;
	if (at.size < STATUS_LINE && !(at.flags & RST))
		return 1;
	cookie = bpf_get_socket_cookie(skb);
	who = bpf_map_lookup_elem(&owners, &cookie);
	if (!who)
		return 1;
	if (at.flags & RST) {
		if (who->awaiting) {
			who->awaiting = 0;
			say_closed(cookie, at.family);
		}
		return 1;
	}
	/* Only what begins as a status line does: of a body, nothing is ever taken. */
	if (bpf_skb_load_bytes(skb, at.start, line, sizeof(line)))
		return 1;
	if (line[0] != 'H' || line[1] != 'T' || line[2] != 'T' || line[3] != 'P' || line[4] != '/')
		return 1;
	who->awaiting = 0;
	count(SEEN_RECEIVED);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(LOST_RECEIVED);
		return 1;
	}
	head_of(&event->head, RECEIVED, at.family, cookie);
	event->seq = at.seq;
	__builtin_memcpy(event->data, line, sizeof(line));
	bpf_ringbuf_submit(event, wakeup());
	return 1;
}

char license_text[] SEC("license") = "Dual MIT/GPL";
