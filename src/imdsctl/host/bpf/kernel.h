/* What our programs need of the kernel's interface, so that no kernel header is needed.
 *
 * The numbers and layouts are the kernel's stable user interface (linux/bpf.h); a structure is
 * declared as far as we read it.
 */
#ifndef IMDSCTL_KERNEL_H
#define IMDSCTL_KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

/* Both the objects and the hosts are little-endian; the loader checks. */
#define NET16(x) ((u16)((((x)&0xffu) << 8) | (((x) >> 8) & 0xffu)))
#define NET32(x) __builtin_bswap32(x)

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6

/* One entry of the "maps" section: the loader creates a map for each. */
struct map {
	u32 type;
	u32 key_size;
	u32 value_size;
	u32 max_entries;
	u32 flags;
};

#define MAP_HASH 1
#define MAP_ARRAY 2
#define MAP_PERCPU_ARRAY 6
#define MAP_LRU_HASH 9
#define MAP_RINGBUF 27

#define ANY 0
#define NOEXIST 1

struct bpf_sock {
	u32 bound_dev_if;
	u32 family;
	u32 type;
	u32 protocol;
	u32 mark;
	u32 priority;
	u32 src_ip4;
	u32 src_ip6[4];
	u32 src_port; /* host byte order */
	u32 dst_port; /* network byte order, in 32 bits */
	u32 dst_ip4;
	u32 dst_ip6[4];
};

struct __sk_buff {
	u32 len;
	u32 before_protocol[3];
	u32 protocol; /* network byte order, in 32 bits */
	u32 before_sk[37];
	u64 sk; /* a struct bpf_sock *, 8 bytes on every machine */
};

struct bpf_sock_addr {
	u32 user_family;
	u32 user_ip4;    /* network byte order */
	u32 user_ip6[4]; /* network byte order */
	u32 user_port;   /* network byte order */
	u32 family;
	u32 type;
	u32 protocol;
	u32 msg_src_ip4;
	u32 msg_src_ip6[4];
	u64 sk; /* a struct bpf_sock *, 8 bytes on every machine */
};

struct bpf_sock_ops {
	u32 op;
	u32 args[4];
	u32 family;
	u32 remote_ip4;
	u32 local_ip4;
	u32 remote_ip6[4];
	u32 local_ip6[4];
	u32 remote_port; /* network byte order, in 32 bits */
	u32 local_port;  /* host byte order */
};

#define SOCK_OPS_TCP_CONNECT 3

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value,
					 u64 flags) = (void *)2;
static u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static u64 (*const bpf_get_current_pid_tgid)(void) = (void *)14;
static u64 (*const bpf_get_current_uid_gid)(void) = (void *)15;
static long (*const bpf_get_current_comm)(void *buffer, u32 size) = (void *)16;
static long (*const bpf_skb_load_bytes)(const void *skb, u32 offset, void *to,
					u32 length) = (void *)26;
static u64 (*const bpf_get_current_task)(void) = (void *)35;
static u64 (*const bpf_get_socket_cookie)(void *ctx) = (void *)46;
static u64 (*const bpf_get_current_cgroup_id)(void) = (void *)80;
static struct bpf_sock *(*const bpf_sk_fullsock)(struct bpf_sock *sk) = (void *)95;
static long (*const bpf_probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*const bpf_probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*const bpf_probe_read_kernel_str)(void *to, u32 size,
					       const void *from) = (void *)115;
static u64 (*const bpf_get_netns_cookie)(void *ctx) = (void *)122;
static void *(*const bpf_ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*const bpf_ringbuf_submit)(void *record, u64 flags) = (void *)132;
static u64 (*const bpf_ringbuf_query)(void *ring, u64 what) = (void *)134;

#endif
