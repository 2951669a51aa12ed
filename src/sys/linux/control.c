/* Ancillary data of datagrams on Linux. The data of a record is copied, because the data may not be
 * aligned. The type of the data depends on the record, and differs between sends and receives. */
#include <time.h>

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/datagrams.h"
#include "sys/linux/address.h"

_Static_assert(EDO_CONTROL_SPACE(1) == CMSG_SPACE(1) && EDO_CONTROL_SPACE(8) == CMSG_SPACE(8),
               "the size of a record");

#define NANOSECONDS 1000000000ll

/* ---- records ---- */

int edo__control_add(edo_control *control, int level, int type, const void *data, size_t size)
{
    size_t room = control->capacity - control->size, needed = CMSG_SPACE(size);
    if (control->size > control->capacity || room < needed) return -ENOSPC;
    struct cmsghdr head = { .cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type };
    char *place = (char *)control->data + control->size;
    memset(place, 0, needed);
    memcpy(place, &head, sizeof head);
    if (size) memcpy(place + CMSG_LEN(0), data, size);
    control->size += needed;
    return 0;
}

/* The next record begins at the end of this record's data, rounded up to the alignment. */
bool edo__control_next(const edo_control *control, edo_control_record *record)
{
    const char *begin = control->data;
    size_t at = 0;
    struct cmsghdr head;
    if (record->data) {
        size_t used = (size_t)((const char *)record->data - begin) - CMSG_LEN(0);
        at = used + CMSG_SPACE(record->size);
    }
    if (!begin || at > control->size || control->size - at < sizeof head) return false;
    memcpy(&head, begin + at, sizeof head);
    if (head.cmsg_len < CMSG_LEN(0) || head.cmsg_len > control->size - at) return false;
    *record = (edo_control_record){ .level = head.cmsg_level,
                                    .type = head.cmsg_type,
                                    .data = begin + at + CMSG_LEN(0),
                                    .size = head.cmsg_len - CMSG_LEN(0) };
    return true;
}

/* Copies the data of a record. Returns: false if the record has less than `size` bytes. */
static bool copy(const edo_control_record *record, void *to, size_t size)
{
    if (record->size < size) return false;
    memcpy(to, record->data, size);
    return true;
}

static bool is_of(const edo_control_record *record, int level, int type)
{
    return record->level == level && record->type == type;
}

/* ---- reading ---- */

static bool read_local_v4(const edo_control_record *record, edo_datagram_info *info)
{
    struct in_pktinfo local;
    if (!copy(record, &local, sizeof local)) return false;
    edo__address parts = { .family = EDO__FAMILY_V4 };
    memcpy(parts.ip, &local.ipi_addr, sizeof local.ipi_addr);
    info->local = edo__address_pack(&parts);
    info->interface = (uint32_t)local.ipi_ifindex;
    return true;
}

static bool read_local_v6(const edo_control_record *record, edo_datagram_info *info)
{
    struct in6_pktinfo local;
    if (!copy(record, &local, sizeof local)) return false;
    edo__address parts = { .family = EDO__FAMILY_V6 };
    memcpy(parts.ip, &local.ipi6_addr, sizeof local.ipi6_addr);
    info->local = edo__address_pack(&parts);
    info->interface = local.ipi6_ifindex;
    return true;
}

/* Reads a number. The type of service of IPv4 is one byte. All other numbers are an int. */
static bool read_int(const edo_control_record *record, int *ret)
{
    uint8_t byte;
    if (copy(record, ret, sizeof *ret)) return true;
    if (!copy(record, &byte, sizeof byte)) return false;
    *ret = byte;
    return true;
}

static bool read_uint(const edo_control_record *record, uint32_t *ret)
{
    int value;
    if (!read_int(record, &value)) return false;
    *ret = (uint32_t)value;
    return true;
}

static bool read_time(const edo_control_record *record, int64_t *ret)
{
    struct timespec time;
    if (!copy(record, &time, sizeof time)) return false;
    *ret = time.tv_sec * NANOSECONDS + time.tv_nsec;
    return true;
}

/* Returns: the bit of the member that the record has filled, or 0. */
static uint32_t read_record(const edo_control_record *record, edo_datagram_info *info)
{
    if (is_of(record, IPPROTO_IP, IP_PKTINFO))
        return read_local_v4(record, info) ? EDO_DATAGRAM_LOCAL : 0;
    if (is_of(record, IPPROTO_IPV6, IPV6_PKTINFO))
        return read_local_v6(record, info) ? EDO_DATAGRAM_LOCAL : 0;
    if (is_of(record, IPPROTO_IP, IP_TTL) || is_of(record, IPPROTO_IPV6, IPV6_HOPLIMIT))
        return read_int(record, &info->ttl) ? EDO_DATAGRAM_TTL : 0;
    if (is_of(record, IPPROTO_IP, IP_TOS) || is_of(record, IPPROTO_IPV6, IPV6_TCLASS))
        return read_int(record, &info->tos) ? EDO_DATAGRAM_TOS : 0;
    if (is_of(record, SOL_SOCKET, SCM_TIMESTAMPNS))
        return read_time(record, &info->timestamp) ? EDO_DATAGRAM_TIMESTAMP : 0;
    if (is_of(record, IPPROTO_UDP, UDP_GRO))
        return read_uint(record, &info->segment) ? EDO_DATAGRAM_SEGMENT : 0;
    if (is_of(record, SOL_SOCKET, SO_RXQ_OVFL))
        return read_uint(record, &info->drops) ? EDO_DATAGRAM_DROPS : 0;
    return 0;
}

void edo__datagram_info_read(const edo_control *control, edo_datagram_info *ret_info)
{
    edo_control_record record = { 0 };
    *ret_info = (edo_datagram_info){ 0 };
    while (edo__control_next(control, &record))
        ret_info->present |= read_record(&record, ret_info);
}

/* ---- writing ---- */

static int write_local(edo_control *control, const edo_datagram_info *info)
{
    edo__address parts;
    int rc = edo__address_unpack(&info->local, &parts);
    if (rc < 0) return -EINVAL;
    if (parts.family == EDO__FAMILY_V4) {
        struct in_pktinfo v4 = { .ipi_ifindex = (int)info->interface };
        memcpy(&v4.ipi_spec_dst, parts.ip, sizeof v4.ipi_spec_dst);
        return edo__control_add(control, IPPROTO_IP, IP_PKTINFO, &v4, sizeof v4);
    }
    struct in6_pktinfo v6 = { .ipi6_ifindex = info->interface };
    memcpy(&v6.ipi6_addr, parts.ip, sizeof v6.ipi6_addr);
    return edo__control_add(control, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof v6);
}

static int write_int(edo_control *control, int level, int type, int value)
{
    return edo__control_add(control, level, type, &value, sizeof value);
}

static int write_segment(edo_control *control, uint32_t segment)
{
    uint16_t value = (uint16_t)segment;
    if (!segment || segment > UINT16_MAX) return -EINVAL;
    return edo__control_add(control, IPPROTO_UDP, UDP_SEGMENT, &value, sizeof value);
}

/* Whether a packet needs the records of IPv4, because its destination is an IPv4 address or an
 * IPv4-mapped IPv6 address. */
static bool goes_by_v4(const edo_address *to)
{
    edo__address parts;
    if (edo__address_unpack(to, &parts) < 0) return false;
    return parts.family == EDO__FAMILY_V4 || edo__address_is_v4_mapped(&parts);
}

static int write_records(edo_control *control, const edo_datagram_info *info, bool v4)
{
    int rc = 0;
    if (info->present & EDO_DATAGRAM_LOCAL) rc = write_local(control, info);
    if (rc == 0 && (info->present & EDO_DATAGRAM_TTL))
        rc = v4 ? write_int(control, IPPROTO_IP, IP_TTL, info->ttl)
                : write_int(control, IPPROTO_IPV6, IPV6_HOPLIMIT, info->ttl);
    if (rc == 0 && (info->present & EDO_DATAGRAM_TOS))
        rc = v4 ? write_int(control, IPPROTO_IP, IP_TOS, info->tos)
                : write_int(control, IPPROTO_IPV6, IPV6_TCLASS, info->tos);
    if (rc == 0 && (info->present & EDO_DATAGRAM_SEGMENT))
        rc = write_segment(control, info->segment);
    return rc;
}

int edo__datagram_info_write(edo_control *control, const edo_datagram_info *info,
                             const edo_address *to)
{
    size_t before = control->size;
    int rc = write_records(control, info, goes_by_v4(to));
    if (rc < 0) control->size = before;
    return rc;
}

/* ---- errors ---- */

static edo_error_origin origin_of(uint8_t origin)
{
    switch (origin) {
    case SO_EE_ORIGIN_ICMP: return EDO_ERROR_ICMP;
    case SO_EE_ORIGIN_ICMP6: return EDO_ERROR_ICMP6;
    case SO_EE_ORIGIN_TIMESTAMPING: return EDO_ERROR_TIMESTAMP;
    case SO_EE_ORIGIN_ZEROCOPY: return EDO_ERROR_ZERO_COPY;
    default: return EDO_ERROR_LOCAL;
    }
}

/* Reads the address of the offender, which is the rest of the record after the error. */
static void read_offender(const edo_control_record *record, edo_address *ret_offender)
{
    const char *place = (const char *)record->data + sizeof(struct sock_extended_err);
    size_t size = record->size - sizeof(struct sock_extended_err);
    *ret_offender = (edo_address){ { 0 } };
    if (size > EDO__SOCKADDR_SIZE || edo__address_from_system(place, size, ret_offender) < 0)
        *ret_offender = (edo_address){ { 0 } };
}

static bool read_error(const edo_control_record *record, edo_datagram_error *ret_error)
{
    struct sock_extended_err error;
    if (!copy(record, &error, sizeof error)) return false;
    ret_error->error = -(int)error.ee_errno;
    ret_error->origin = origin_of(error.ee_origin);
    ret_error->type = error.ee_type;
    ret_error->code = error.ee_code;
    ret_error->mtu = error.ee_errno == EMSGSIZE ? error.ee_info : 0;
    ret_error->id = ret_error->origin >= EDO_ERROR_TIMESTAMP ? error.ee_data : 0;
    if (ret_error->origin >= EDO_ERROR_TIMESTAMP) ret_error->error = 0;
    read_offender(record, &ret_error->offender);
    return true;
}

bool edo__datagram_error_read(const edo_control *control, edo_datagram_error *ret_error)
{
    edo_control_record record = { 0 };
    edo_datagram_error error = { 0 };
    bool found = false;
    while (edo__control_next(control, &record))
        if (is_of(&record, IPPROTO_IP, IP_RECVERR) || is_of(&record, IPPROTO_IPV6, IPV6_RECVERR))
            found = read_error(&record, &error) || found;
        else if (is_of(&record, SOL_SOCKET, SCM_TIMESTAMPING))
            read_time(&record, &error.timestamp); // the kernel's time, the first of three
    if (found) *ret_error = error;
    return found;
}
