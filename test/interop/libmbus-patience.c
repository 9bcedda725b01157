/* Linked into the programs of libmbus: how long they wait for an answer over TCP, which they themselves cannot be told, and a
 * serial port without parity, which a pseudo terminal does not have. */

#include <stdlib.h>
#include <termios.h>
#include <mbus/mbus-tcp.h>

int __real_tcsetattr(int fd, int when, const struct termios *wanted);

__attribute__((constructor)) static void be_patient(void)
{
    const char *seconds = getenv("LIBMBUS_SECONDS");

    if (seconds != NULL)
        mbus_tcp_set_timeout_set(atof(seconds));
}

int __wrap_tcsetattr(int fd, int when, const struct termios *wanted)
{
    struct termios plain = *wanted;

    plain.c_cflag &= ~PARENB;
    return __real_tcsetattr(fd, when, &plain);
}
