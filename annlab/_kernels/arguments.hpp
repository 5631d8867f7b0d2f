// From the arguments of a Python call to those of a C++ function, and back; the interpreter's
// stable interface alone, so that one build serves every Python from 3.11 on.

using Size = std::int64_t;

// An array of one axis.
template <class T> struct List {
    T *data;
    Size n;
    T &operator[](Size i) const { return data[i]; }
};

// An array of two axes, row after row.
template <class T> struct Table {
    T *data;
    Size n, d;
    T *row(Size i) const { return data + i * d; }
};

// The Python error is set.
struct Failure {};

template <class T> constexpr const char *codes() {
    // NumPy's letters for a type; which of them it takes depends on the system
    if (std::is_same_v<T, float>) return "f";
    if (std::is_same_v<T, double>) return "d";
    return "ilq";
}

// The arguments of one call; lets go of the arrays at its end.
class Arguments {
  public:
    Arguments(PyObject *const *given, Py_ssize_t count) : given(given), count(count) {}
    Arguments(const Arguments &) = delete;
    ~Arguments() {
        for (Py_buffer &buffer : held) PyBuffer_Release(&buffer);
    }

    template <class T> T take() {
        T value;
        read(value);
        return value;
    }

    void finish() const {
        if (used != count) fail("takes fewer arguments");
    }

  private:
    PyObject *next() {
        if (used == count) fail("takes more arguments");
        return given[used++];
    }

    void read(Size &value) {
        value = PyLong_AsLongLong(next());
        if (value == -1 && PyErr_Occurred()) throw Failure();
    }

    template <class T> void read(List<T> &list) {
        const Py_buffer &buffer = hold<T>(1);
        list = {static_cast<T *>(buffer.buf), Size(buffer.shape[0])};
    }

    template <class T> void read(Table<T> &table) {
        const Py_buffer &buffer = hold<T>(2);
        table = {static_cast<T *>(buffer.buf), Size(buffer.shape[0]), Size(buffer.shape[1])};
    }

    template <class T> const Py_buffer &hold(int axes) {
        using Value = std::remove_const_t<T>;
        const int writable = std::is_const_v<T> ? 0 : PyBUF_WRITABLE;
        Py_buffer buffer;
        if (PyObject_GetBuffer(next(), &buffer, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | writable))
            throw Failure();
        held.push_back(buffer);
        if (buffer.ndim != axes || buffer.itemsize != Py_ssize_t(sizeof(Value)) ||
            !std::strchr(codes<Value>(), buffer.format[0]))
            fail("was given an array of another type or number of axes");
        return held.back();
    }

    [[noreturn]] void fail(const char *what) const {
        PyErr_Format(PyExc_TypeError, "a compiled loop %s (at argument %zd of %zd)", what, used,
                     count);
        throw Failure();
    }

    PyObject *const *given;
    const Py_ssize_t count;
    Py_ssize_t used = 0;
    std::vector<Py_buffer> held;
};

inline PyObject *answer(double value) { return PyFloat_FromDouble(value); }
inline PyObject *answer(Size value) { return PyLong_FromLongLong(value); }

// Call a function with converted arguments while other threads may run Python.
template <class Result, class... Given>
PyObject *call(Result (*function)(Given...), PyObject *const *given, Py_ssize_t count) {
    try {
        Arguments arguments(given, count);
        // braces: from left to right
        const std::tuple<Given...> values{arguments.take<Given>()...};
        arguments.finish();
        PyThreadState *state = PyEval_SaveThread();
        try {
            if constexpr (std::is_void_v<Result>) {
                std::apply(function, values);
                PyEval_RestoreThread(state);
                Py_RETURN_NONE;
            } else {
                const Result result = std::apply(function, values);
                PyEval_RestoreThread(state);
                return answer(result);
            }
        } catch (...) {
            PyEval_RestoreThread(state);
            throw;
        }
    } catch (const Failure &) {
        return nullptr;
    } catch (const std::bad_alloc &) {
        return PyErr_NoMemory();
    }
}

// A function for one type of values.
template <auto function>
PyObject *single(PyObject *, PyObject *const *given, Py_ssize_t count) {
    return call(function, given, count);
}

// A function for float32 and one for float64: the first argument decides.
template <auto narrow, auto wide>
PyObject *either(PyObject *, PyObject *const *given, Py_ssize_t count) {
    Py_buffer first;
    bool is_wide = false;
    if (count > 0 && !PyObject_GetBuffer(given[0], &first, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)) {
        is_wide = first.format[0] == 'd';
        PyBuffer_Release(&first);
    }
    PyErr_Clear();
    return is_wide ? call(wide, given, count) : call(narrow, given, count);
}
