/* One request and out, in less than a millisecond: imds_c 4|6|mapped v1|v2|token PATH [TIMES] */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ask(char **words)
{
	char request[1024], answer[64];
	int six = words[1][0] != '4', token = words[2][0] == 't';
	struct sockaddr_in to4 = {.sin_family = AF_INET, .sin_port = htons(80)};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
	int one = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	int length, got;

	inet_pton(AF_INET, "169.254.169.254", &to4.sin_addr);
	inet_pton(AF_INET6, words[1][0] == 'm' ? "::ffff:169.254.169.254" : "fd00:ec2::254",
		  &to6.sin6_addr);
	if (connect(one, six ? (struct sockaddr *)&to6 : (struct sockaddr *)&to4,
		    six ? sizeof(to6) : sizeof(to4)))
		return 3;
	length = snprintf(request, sizeof(request),
			  "%s %s HTTP/1.1\r\nHost: imds\r\nUser-Agent: imds_c/%d\r\n%s"
			  "Connection: close\r\n\r\n",
			  token ? "PUT" : "GET", words[3], getpid(),
			  token		       ? "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n"
			  : words[2][1] == '2' ? "X-aws-ec2-metadata-token: unknown\r\n"
					       : "");
	if (write(one, request, length) != length)
		return 4;
	got = read(one, answer, sizeof(answer));
	close(one);
	return got > 0 ? 0 : 5;
}

int main(int count, char **words)
{
	int failed = 0;

	if (count < 4)
		return 2;
	for (int times = count > 4 ? atoi(words[4]) : 1; times && !failed; times--)
		failed = ask(words);
	return failed;
}
