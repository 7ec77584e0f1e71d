# coding: utf-7
+AHAAcgBpAG4AdAAoADEAKQ-
