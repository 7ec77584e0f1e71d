/*
 * Any bytes as the parts of status records.  Whatever is told is whole lines
 * of printable characters in bounded room, and is never changed by what comes
 * later.
 */
#include "../status.c"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static void must(bool is_true)
{
	if (!is_true)
		__builtin_trap();
}

static void check_records(size_t before)
{
	static char earlier[ROOM];
	size_t after;
	const char *told = status_records(&after);

	must(before <= after && after <= ROOM);
	must(memcmp(earlier, told, before) == 0);
	for (size_t i = before; i < after; i++)
		must(told[i] == '\n' || (told[i] >= ' ' && told[i] <= '~'));
	must(after == 0 || told[after - 1] == '\n');
	memcpy(earlier, told, after);
}

/* One part; its length is a byte of the input, taken eightfold for texts. */
static size_t put_part(const unsigned char *bytes, size_t length)
{
	size_t size = length < 2 ? 0 : bytes[1] * UINT64_C(8);
	int64_t number = 0;

	if (size > length - 1)
		size = length - 1;
	memcpy(&number, bytes + 1, size < sizeof(number) ?
	       size : sizeof(number));
	switch (bytes[0] % 4) {
	case 0:
		status_key("reading");
		status_word("label");
		break;
	case 1:
		status_text((const char *)bytes + 1, size);
		break;
	case 2:
		status_number(number);
		break;
	default:
		status_end();
		return 1;
	}
	return 1 + size;
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
	used = 0;
	written = 0;
	is_full = false;
	while (length > 0) {
		size_t before = used;
		size_t taken = put_part(bytes, length);

		bytes += taken;
		length -= taken;
		check_records(before);
	}
	return 0;
}
