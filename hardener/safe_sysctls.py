"""Which kernel parameters of a pod nobody else feels, and since which Kubernetes they may be set. Knows no pod."""

from __future__ import annotations

#: By name, the minor version of Kubernetes 1 from which the Pod Security Standards allow it, as the kubelet does unasked
#: (kubernetes/pod-security-admission policy/check_sysctls.go, 8f84a87c7f617f64a4ddc1aea24aeeb7a2e07cb8; kubernetes/kubernetes
#: pkg/kubelet/sysctl/safe_sysctls.go); 0 for as long as pods have had a field for them.
SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
    "net.ipv4.tcp_notsent_lowat": 37,
    "net.ipv4.tcp_slow_start_after_idle": 37,
}
