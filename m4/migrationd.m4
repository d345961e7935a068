dnl SPDX-License-Identifier: PostgreSQL

dnl MIGRATIOND_TRY_FLAGS(VARIABLE, FLAGS)
dnl Append to VARIABLE those of FLAGS that the compiler and linker take without a warning. The program includes a libc
dnl header because _FORTIFY_SOURCE complains from there when the build does not optimise.
AC_DEFUN([MIGRATIOND_TRY_FLAGS], [
  for flag in m4_normalize([$2]); do
    AC_MSG_CHECKING([whether $CC takes $flag])
    try_flags_saved=$CFLAGS
    CFLAGS="$CFLAGS -Werror $flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[]])],
      [AC_MSG_RESULT([yes]); $1="$$1 $flag"],
      [AC_MSG_RESULT([no])])
    CFLAGS=$try_flags_saved
  done
])
