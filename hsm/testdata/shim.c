/* A PKCS#11 module that hands everything to another, and lets a test make that one fail.
 *
 * It is compiled with -DREAL="…/module.so". In the directory that SHIM_DIR names, a file
 * called after a function holds the CKR_ code that it is to return; as NAME.once it is
 * used up by one call. Further files: "hang" lets C_Sign wait until it is gone, "wrong"
 * lets it flip a bit, "flags" is set in each token's flags, "raw" strips the DER from
 * points. What is called is written to the file "log".
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long word;

/* CK_FUNCTION_LIST: the version, and 68 functions in the order of the standard. */
struct list {
	unsigned char version[2];
	void *call[68];
};
enum { INITIALIZE = 0, TOKEN_INFO = 6, OPEN = 12, LOGIN = 18, ATTRIBUTE = 24, SIGN = 43, MAKE = 59 };

struct attribute {
	word type;
	void *value;
	word length;
};

static struct list *real, mine;

static const char *at(char *path, const char *name)
{
	snprintf(path, 512, "%s/%s", getenv("SHIM_DIR"), name);
	return path;
}

/* said reports whether a file is there, and reads the number in it. */
static int said(const char *name, word *value)
{
	char path[512];
	FILE *f = fopen(at(path, name), "r");
	if (f == NULL)
		return 0;
	if (value != NULL && fscanf(f, "%lu", value) != 1)
		*value = 0;
	fclose(f);
	return 1;
}

static void note(const char *name)
{
	char path[512];
	FILE *f = fopen(at(path, "log"), "a");
	if (f == NULL)
		return;
	fprintf(f, "%s\n", name);
	fclose(f);
}

static word fails(const char *name)
{
	char once[128], path[512];
	word code = 0;
	note(name);
	snprintf(once, sizeof once, "%s.once", name);
	if (said(once, &code)) {
		unlink(at(path, once));
		return code;
	}
	said(name, &code);
	return code;
}

static word initialize(void *args)
{
	word code = fails("C_Initialize");
	return code ? code : ((word (*)(void *))real->call[INITIALIZE])(args);
}

static word token_info(word slot, unsigned char *info)
{
	word flags = 0, code = ((word (*)(word, unsigned char *))real->call[TOKEN_INFO])(slot, info);
	if (code == 0 && said("flags", &flags))
		*(word *)(info + 96) |= flags; /* after label, manufacturer, model and serial number */
	return code;
}

static word open_session(word slot, word flags, void *a, void *b, word *handle)
{
	word code = fails("C_OpenSession");
	return code ? code : ((word (*)(word, word, void *, void *, word *))real->call[OPEN])(slot, flags, a, b, handle);
}

static word login(word session, word user, unsigned char *pin, word length)
{
	word code = fails("C_Login");
	return code ? code : ((word (*)(word, word, unsigned char *, word))real->call[LOGIN])(session, user, pin, length);
}

static word attribute(word session, word object, struct attribute *all, word count)
{
	word code = ((word (*)(word, word, struct attribute *, word))real->call[ATTRIBUTE])(session, object, all, count);
	for (word i = 0; code == 0 && said("raw", NULL) && i < count; i++)
		if (all[i].type == 0x181 && all[i].value != NULL && all[i].length == 34) {
			memmove(all[i].value, (unsigned char *)all[i].value + 2, 32);
			all[i].length = 32;
		}
	return code;
}

static word sign(word session, unsigned char *data, word length, unsigned char *sig, word *size)
{
	word code = 0;
	if (sig != NULL)
		code = fails("C_Sign");
	if (code)
		return code;
	while (said("hang", NULL))
		usleep(20000);
	code = ((word (*)(word, unsigned char *, word, unsigned char *, word *))real->call[SIGN])(session, data, length, sig, size);
	if (code == 0 && sig != NULL && said("wrong", NULL))
		sig[7] ^= 4;
	return code;
}

static word make(word s, void *m, void *a, word an, void *b, word bn, word *public, word *private)
{
	word code = fails("C_GenerateKeyPair");
	return code ? code : ((word (*)(word, void *, void *, word, void *, word, word *, word *))real->call[MAKE])(s, m, a, an, b, bn, public, private);
}

word C_GetFunctionList(struct list **out)
{
	word (*theirs)(struct list **);
	void *library = dlopen(REAL, RTLD_NOW);
	if (library == NULL)
		return 5;
	*(void **)&theirs = dlsym(library, "C_GetFunctionList");
	if (theirs == NULL || theirs(&real) != 0)
		return 5;
	mine = *real;
	mine.call[INITIALIZE] = (void *)initialize;
	mine.call[TOKEN_INFO] = (void *)token_info;
	mine.call[OPEN] = (void *)open_session;
	mine.call[LOGIN] = (void *)login;
	mine.call[ATTRIBUTE] = (void *)attribute;
	mine.call[SIGN] = (void *)sign;
	mine.call[MAKE] = (void *)make;
	*out = &mine;
	return 0;
}
